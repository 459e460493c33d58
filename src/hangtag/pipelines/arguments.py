"""Arguments of the Python API, and the progress that a pipeline reports.

An argument of the wrong type is a `UsageError` that names it, never a bare `TypeError`.
"""

import functools
import inspect
import os
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from os import PathLike
from pathlib import Path
from typing import Any, Final, Literal, ParamSpec, Protocol, TypeVar, Union, get_args, get_origin

from hangtag.bundle.file import SUFFIX
from hangtag.domain.errors import UsageError
from hangtag.imaging.decode import PHOTO_SUFFIXES

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
        return True  # a quoted annotation, a protocol, or a type variable
    if kind in (int, float):
        return isinstance(value, int if kind is int else int | float) and not isinstance(value, bool)
    if isinstance(value, str | bytes):  # a str is also a sequence of str, which is never meant
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
    """Receives a pipeline's messages and progress."""

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


_ARCHIVE_SUFFIXES: Final = frozenset({".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz"})
_NEVER_WRITTEN: Final = {
    **dict.fromkeys(PHOTO_SUFFIXES, "a photo"),
    **dict.fromkeys(_ARCHIVE_SUFFIXES, "an archive"),
}
"""Kinds of files that no command replaces: they are originals, whether they are inputs or not."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A file or folder that a command will write, and the `parameter` that names it.

    `files` are the names of the files that the command always writes to a folder. `makes_folder`: the command creates
    the file's folder. `is_model`: the file is a bundle, so it may replace one. `has_pictures`: in a folder of photos, a
    later run would mistake the output for photos.
    """

    parameter: str
    path: Path
    is_folder: bool = False
    files: tuple[str, ...] = ()
    makes_folder: bool = False
    is_model: bool = False
    has_pictures: bool = False

    @property
    def written(self) -> list[Path]:
        """The paths that must not be inputs: the files if they are known, since a folder may hold both."""
        return [self.path / name for name in self.files] or [self.path]


def check_destinations(destinations: Sequence[Destination], inputs: Iterable[Path]) -> None:
    """Raise `UsageError` if one cannot be written, or would replace an input or another destination.

    `inputs` are all files that the command reads, including models, and the folders of photos. They need not exist.
    """
    read = list(inputs)
    for destination in destinations:
        _check_usable(destination)
        _check_kind(destination)
        for path in destination.written:
            _check_not_read(destination, path, read)
        if destination.has_pictures:
            _check_not_among(destination, read)
    for first, second in combinations(destinations, 2):
        _check_apart(first, second)


def refuse_among_photos(parameter: str, folder: Path, photo_folders: Iterable[Path]) -> None:
    """Raise `UsageError` for a folder of pictures in a folder of photos: a later run would label them."""
    destination = Destination(parameter, folder, is_folder=True, has_pictures=True)
    _check_not_among(destination, photo_folders)


def _check_usable(destination: Destination) -> None:
    if destination.is_folder:
        _check_folder(destination)
        return
    fix = f"Choose another `{destination.parameter}`."
    if destination.path.is_dir():
        raise UsageError("this is a folder, and a file should be written", where=destination.path, fix=fix)
    if destination.path.exists() and not destination.path.is_file():
        raise UsageError("this is not a regular file", where=destination.path, fix=fix)
    if destination.makes_folder:
        _check_writable(destination, _find_nearest(destination, destination.path.parent))
        return
    if not destination.path.parent.is_dir():
        problem = f"there is no such folder for {destination.path.name}"
        raise UsageError(
            problem,
            where=destination.path.parent,
            fix=f"Make it, or choose another `{destination.parameter}`.",
        )
    _check_writable(destination, destination.path.parent)


def _check_folder(destination: Destination) -> None:
    """Check that a folder can be created, with its parents, in the nearest parent that exists."""
    _check_writable(destination, _find_nearest(destination, destination.path))
    for name in destination.files:
        if (destination.path / name).is_dir():
            problem = "this is a folder, and a file should be written"
            raise UsageError(
                problem, where=destination.path / name, fix=f"Choose another `{destination.parameter}`."
            )


def _find_nearest(destination: Destination, folder: Path) -> Path:
    """Return the folder, or its nearest parent that exists."""
    nearest = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    if not nearest.is_dir():
        problem = "this is a file, and a folder should be written"
        raise UsageError(problem, where=nearest, fix=f"Choose another `{destination.parameter}`.")
    return nearest


def _check_writable(destination: Destination, folder: Path) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        problem = "this folder cannot be written to"
        raise UsageError(problem, where=folder, fix=f"Choose another `{destination.parameter}`.")


def _check_kind(destination: Destination) -> None:
    if destination.is_folder or not destination.path.exists():
        return
    suffix = destination.path.suffix.lower()
    kind = "a model" if suffix == SUFFIX and not destination.is_model else _NEVER_WRITTEN.get(suffix)
    if kind is not None:
        problem = f"this is {kind}, which `{destination.parameter}` does not replace"
        raise UsageError(problem, where=destination.path, fix=f"Choose another `{destination.parameter}`.")


def _check_not_read(destination: Destination, path: Path, inputs: Iterable[Path]) -> None:
    if any(_is_same(path, source) for source in inputs):
        problem = f"the command reads this, and `{destination.parameter}` would replace it"
        raise UsageError(problem, where=path, fix=f"Choose another `{destination.parameter}`.")


def _check_not_among(destination: Destination, inputs: Iterable[Path]) -> None:
    """Raise `UsageError` for pictures in a folder of photos: a later run would mistake them for photos."""
    folder = destination.path.resolve()
    around = next((path for path in inputs if path.is_dir() and folder.is_relative_to(path.resolve())), None)
    if around is not None:
        problem = f"this is within {around}, and its pictures would be taken for photos there"
        fix = f"Choose another `{destination.parameter}`."
        raise UsageError(problem, where=destination.path, fix=fix)


def _check_apart(first: Destination, second: Destination) -> None:
    for path in _all_names(first):
        if any(_is_same(path, other) for other in _all_names(second)):
            both = " and ".join(dict.fromkeys((f"`{first.parameter}`", f"`{second.parameter}`")))
            raise UsageError(f"{both} would write this twice", where=path, fix="Choose another name.")


def _all_names(destination: Destination) -> Iterator[Path]:
    yield destination.path
    yield from (destination.path / name for name in destination.files)


def _is_same(first: Path, second: Path) -> bool:
    """Return whether two paths are the same file; paths that do not exist are compared by name."""
    if first.exists() and second.exists():
        return first.samefile(second)
    return first.resolve() == second.resolve()
