"""Text that came from outside, made fit to be shown."""


def printable(text: str) -> str:
    """Return a file's name, a label or a message with its control characters spelled out.

    As they are, they could move the cursor, rename the window or hide what was printed before.
    """
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)
