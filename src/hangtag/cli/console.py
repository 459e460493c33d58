"""Where commands print their tables."""

import os
import sys
from typing import Final

from rich.console import Console

_WIDTH_OF_A_FILE: Final = 150


def open_console() -> Console:
    """Return the console of standard output; a file or a pipe, which has no width, gets one that holds a table."""
    has_width = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(highlight=False, width=None if has_width else _WIDTH_OF_A_FILE)
