"""The one error tree. A message says what is wrong, where, and what to do about it.

    HangtagError
    ├── UsageError        the call cannot mean anything (unknown option value, nothing to do)
    ├── CatalogueError    a catalogue that cannot be read
    ├── TableError        a table that cannot be read or written
    ├── RecipeError       a training recipe that does not say what is needed
    ├── TrainingError     a training that cannot go on
    ├── BundleError       a model file that cannot be trusted
    ├── ServiceError      a service that refuses a call or cannot be reached
    └── PhotoError        one photo that cannot be labelled; carries a `Reason`

The command line prints them without a traceback and exits 2; only a `PhotoError` is caught earlier, since a bad
photo is an answer and not a failure of the run.
"""

from typing import ClassVar

from hangtag.domain.reasons import Reason


class HangtagError(Exception):
    """An error that its reader can do something about.

    `problem` says what is wrong, `where` names the file, line or option, `fix` says what to do next.
    """

    code: ClassVar[str] = "error"

    def __init__(self, problem: str, *, where: object = None, fix: str | None = None) -> None:
        self.problem = problem
        self.where = None if where is None else str(where)
        self.fix = fix
        super().__init__(str(self))

    def __str__(self) -> str:
        """Return `where: problem. fix.` with the parts that are known."""
        located = self.problem if self.where is None else f"{self.where}: {self.problem}"
        return located if self.fix is None else f"{located.rstrip('.')}. {self.fix}"


class UsageError(HangtagError):
    """The call cannot mean anything."""

    code = "usage"


class CatalogueError(HangtagError):
    """A catalogue cannot be read."""

    code = "catalogue"


class TableError(HangtagError):
    """A table cannot be read or written."""

    code = "table"


class RecipeError(HangtagError):
    """A training recipe does not say what is needed."""

    code = "recipe"


class TrainingError(HangtagError):
    """A training cannot go on."""

    code = "training"


class BundleError(HangtagError):
    """A model file cannot be trusted."""

    code = "bundle"


class ServiceError(HangtagError):
    """A service refuses a call or cannot be reached.

    `status` is the HTTP status, `service_code` the stable code of the problem; None where nothing was answered.
    """

    code = "service"

    def __init__(
        self,
        problem: str,
        *,
        where: object = None,
        fix: str | None = None,
        status: int | None = None,
        service_code: str | None = None,
    ) -> None:
        self.status = status
        self.service_code = service_code
        super().__init__(problem, where=where, fix=fix)


class PhotoError(HangtagError):
    """One photo cannot be labelled, for a `reason` that a table can count."""

    code = "photo"

    def __init__(self, reason: Reason, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail or reason.explanation
        super().__init__(self.detail)
