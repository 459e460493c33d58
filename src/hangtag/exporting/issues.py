"""Errors and doubtful values in a row of an export: line, column, reason, and fix."""

from enum import StrEnum
from typing import NamedTuple


class IssueKind(StrEnum):
    """How bad it is. The value is the stable code."""

    ERROR = "error"
    """The destination would refuse the row, so it is left out."""
    DOUBTFUL = "doubtful"
    """A value that the model is not sure of, or a category that is not mapped."""
    WARNING = "warning"
    """The destination takes the row, but advises against it."""


class Issue(NamedTuple):
    """One thing to check: where it is, what it is, why, and how to fix it."""

    kind: IssueKind
    line: int
    key: str
    column: str
    value: str
    reason: str
    fix: str
