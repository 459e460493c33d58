"""Everything that hangtag can do, as functions called by the command line, the service and `import hangtag`.

A function takes paths and plain values, raises `HangtagError`, reports to a `Progress` and returns its result. Nothing
here prints or ends the process.
"""
