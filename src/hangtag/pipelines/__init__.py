"""What a user can ask hangtag for, as functions: the command line, the service and `import hangtag` call these.

A function takes paths and plain values, raises `HangtagError`, tells a `Progress` what it does and returns its result.
Nothing here prints or ends the process.
"""
