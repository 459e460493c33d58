"""Arguments of the Python API, and the progress that a pipeline reports.

An argument of the wrong type is a `UsageError` that names it, never a bare `TypeError`.
"""

import functools
import inspect
import types
from collections.abc import Callable
from os import PathLike
from typing import Any, Final, Literal, ParamSpec, Protocol, TypeVar, Union, get_args, get_origin

from hangtag.domain.errors import UsageError

AnyPath = str | PathLike[str]
"""A path, as text or as an object."""

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def checked(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Make a function check the types of its arguments against its signature.

    An annotation in quotes, for a type that is not imported, is not checked.

    >>> @checked
    ... def double(number: int) -> int:
    ...     return 2 * number
    >>> double("2")
    Traceback (most recent call last):
    hangtag.domain.errors.UsageError: number: an int is expected, not a str
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise UsageError(f"{function.__name__}: {error}", fix=f"See help({function.__name__}).") from None
        for name, value in given.items():
            if signature.parameters[name].kind is not inspect.Parameter.VAR_KEYWORD:
                _check(name, value, signature.parameters[name].annotation)
        return function(*args, **kwargs)

    return call


def _check(name: str, value: object, annotation: object) -> None:
    if _fits(value, annotation):
        return
    raise UsageError(
        f"{_describe(annotation)} is expected, not {_with_article(type(value).__name__)}", where=name
    )


def _fits(value: object, annotation: Any) -> bool:  # noqa: ANN401 - an annotation can be anything
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        return any(_fits(value, part) for part in get_args(annotation))
    if origin is Literal:
        return value in get_args(annotation)
    kind = types.NoneType if annotation is None else origin or annotation
    if not isinstance(kind, type) or getattr(kind, "_is_protocol", False) or kind is inspect.Parameter.empty:
        return True  # an annotation in quotes, a protocol, a type variable
    if kind in (int, float):
        return isinstance(value, int if kind is int else int | float) and not isinstance(value, bool)
    if isinstance(value, str | bytes):  # a str is a sequence of str, too, which nobody means
        return kind in (type(value), object)
    return isinstance(value, kind)


def _describe(annotation: Any) -> str:  # noqa: ANN401 - as above
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        parts = [_describe(part) for part in get_args(annotation) if part is not types.NoneType]
        return " or ".join(dict.fromkeys(parts))
    if origin is Literal:
        return f"one of {', '.join(map(repr, get_args(annotation)))}"
    kind = origin or annotation
    return "a path" if kind is PathLike else _with_article(getattr(kind, "__name__", str(kind)))


def _with_article(name: str) -> str:
    return f"an {name}" if name[0] in "aeiouAEIOU" else f"a {name}"


class Progress(Protocol):
    """Receives what a pipeline finds and how far it has got."""

    def say(self, text: str) -> None:
        """Receive a line about a finding or the next step."""
        ...

    def advance(self, task: str, done: int, total: int | None) -> None:
        """Receive that `done` of `total` steps of a task are done; `total` is None if unknown."""
        ...


class _Silent:
    def say(self, text: str) -> None: ...

    def advance(self, task: str, done: int, total: int | None) -> None: ...


SILENT: Final[Progress] = _Silent()


def follow(progress: Progress, task: str) -> Callable[[int, int], None]:
    """Return the function that a stage calls with the number of steps done and the total."""
    return lambda done, total: progress.advance(task, done, total)
