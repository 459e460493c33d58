"""Where bundles are found by name: those that come with hangtag, and those in the folders of `HANGTAG_MODELS`."""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from hangtag.domain.errors import BundleError, UsageError

DEFAULT_NAME: Final = "default"
SUFFIX: Final = ".onnx"
FOLDERS_VARIABLE: Final = "HANGTAG_MODELS"
"""The environment variable with folders of bundles, separated as in `PATH`; they take precedence over shipped ones."""

SHIPPED_FOLDER: Final = Path(__file__).resolve().parent.parent / "bundles"


def list_bundles(environment: Mapping[str, str] = os.environ) -> list[Path]:
    """Return the bundles that have a name, sorted by it. If two have the same name, the first folder's counts."""
    found: dict[str, Path] = {}
    for folder in _folders(environment):
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            if path.is_file():
                found.setdefault(path.stem, path)
    return [path for _, path in sorted(found.items())]


def find_bundle(name_or_path: str | Path, environment: Mapping[str, str] = os.environ) -> Path:
    """Return the bundle of a name, or the path itself when it is one (it ends in `.onnx` or holds a separator).

    Raises `BundleError` that names the closest known names when there is no such bundle, and `UsageError` for what is
    neither a name nor a path.
    """
    if not isinstance(name_or_path, str | os.PathLike):
        kind = type(name_or_path).__name__
        raise UsageError(f"a model is a name or a path, not {kind}", where="model")
    text = os.fspath(name_or_path)
    if isinstance(name_or_path, Path) or Path(text).suffix == SUFFIX or Path(text).name != text:
        return _require_file(Path(text))
    bundles = {path.stem: path for path in list_bundles(environment)}
    if text not in bundles:
        raise BundleError(f"there is no model named {text!r}", fix=_suggest(text, list(bundles)))
    return bundles[text]


def is_shipped(path: Path) -> bool:
    """Return whether a bundle is one of those that come with hangtag, whatever its path is called."""
    return path.resolve().parent == SHIPPED_FOLDER.resolve()


def _require_file(path: Path) -> Path:
    if not path.exists():
        raise BundleError("there is no such model file", where=path, fix="`hangtag models` lists the models.")
    return path


def _suggest(name: str, known: list[str]) -> str:
    if not known:
        return f"No models are installed; give a path, or a folder of bundles in {FOLDERS_VARIABLE}."
    close = difflib.get_close_matches(name, known, n=3)
    if close:
        return f"Did you mean {' or '.join(close)}?"
    return f"There are: {', '.join(known)}."


def _folders(environment: Mapping[str, str]) -> list[Path]:
    own = [Path(folder) for folder in environment.get(FOLDERS_VARIABLE, "").split(os.pathsep) if folder]
    return [*own, SHIPPED_FOLDER]
