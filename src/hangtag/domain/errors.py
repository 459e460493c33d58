"""All errors that a user can cause. A message says what is wrong, where, and how to fix it.

    HangtagError
    ├── UsageError        the call is invalid (unknown option value, wrong type, nothing to do)
    ├── CatalogueError    a catalogue cannot be read
    ├── TableError        a table cannot be read or written
    ├── RecipeError       a training recipe is incomplete or invalid
    ├── TrainingError     a training cannot continue
    ├── BundleError       a model file cannot be loaded or trusted
    ├── AccountError      a person, a role or a token cannot be added or changed
    ├── ServiceError      a service refuses a request or cannot be reached
    └── PhotoError        one photo cannot be labelled; carries a `Reason`

The command line prints them without a traceback and exits with 2. Only a `PhotoError` is caught earlier: a bad photo
becomes a row with a reason, and the run continues.
"""

from typing import ClassVar, NamedTuple, Self

from hangtag.domain.reasons import Reason


class HangtagError(Exception):
    """The base of all errors that a user can cause and fix.

    `problem` says what is wrong, `where` names the file, line or option, `fix` says what to do.
    """

    code: ClassVar[str] = "error"

    def __init__(self, problem: str, *, where: object = None, fix: str | None = None) -> None:
        self.problem = problem
        self.where = None if where is None else str(where)
        self.fix = fix
        super().__init__(str(self))

    def __str__(self) -> str:
        """Return `where: problem. fix`, leaving out the parts that are not given."""
        located = self.problem if self.where is None else f"{self.where}: {self.problem}"
        return located if self.fix is None else f"{located.rstrip('.')}. {self.fix}"


class UsageError(HangtagError):
    """The call is invalid."""

    code = "usage"


class CatalogueError(HangtagError):
    """A catalogue cannot be read."""

    code = "catalogue"


class TableError(HangtagError):
    """A table cannot be read or written."""

    code = "table"


class RecipeError(HangtagError):
    """A training recipe is incomplete or invalid."""

    code = "recipe"


class TrainingError(HangtagError):
    """A training cannot continue."""

    code = "training"


class BundleError(HangtagError):
    """A model file cannot be loaded or trusted."""

    code = "bundle"


class StoreError(HangtagError):
    """The store of batches cannot carry out a request."""

    code = "store"


class NotStoredError(StoreError):
    """The store has no such batch, product or photo."""

    code = "not_found"


class ConflictError(StoreError):
    """What is stored has changed in the meantime, or is in a state that does not allow this."""

    code = "conflict"


class InvalidField(NamedTuple):
    """A value that the store refuses: the name of its field, why, and the valid values if there are only a few."""

    field: str
    message: str
    choices: tuple[str, ...] = ()


class InvalidFieldsError(StoreError):
    """Values are refused. `fields` lists them."""

    code = "validation"

    def __init__(self, *fields: InvalidField, fix: str | None = None) -> None:
        self.fields = fields
        super().__init__("; ".join(f"{field.field}: {field.message}" for field in fields), fix=fix)


class AccountError(HangtagError):
    """A person, a role or a token cannot be added or changed."""

    code = "account"


class ServiceError(HangtagError):
    """A service refuses a request or cannot be reached.

    `status` is the HTTP status and `service_code` the stable code of the problem. Both are None if there was no
    response.
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
    """One photo cannot be labelled. `reason` is a stable code, `detail` a sentence for people."""

    code = "photo"

    def __init__(self, reason: Reason, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail or reason.explanation
        super().__init__(self.detail)

    def without_frames(self) -> Self:
        """Return this error without its traceback, whose frames would keep the photo's bytes in memory."""
        self.__traceback__ = self.__context__ = self.__cause__ = None
        return self
