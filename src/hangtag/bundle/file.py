"""The bundle file: an ONNX graph with a card in its metadata; and finding bundles by name."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hangtag.bundle.card_json import parse_card, render_card
from hangtag.bundle.graph import WireError, read_graph, read_metadata, replace_metadata
from hangtag.bundle.structure import check_structure
from hangtag.domain.durable import replacing
from hangtag.domain.errors import BundleError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import onnx

    from hangtag.bundle.card import Card

DEFAULT_NAME: Final = "default"
SUFFIX: Final = ".onnx"
FOLDERS_VARIABLE: Final = "HANGTAG_MODELS"
"""The environment variable with folders of bundles, separated as in `PATH`; they take precedence over shipped ones."""

SHIPPED_FOLDER: Final = Path(__file__).resolve().parent.parent / "bundles"


def list_bundles(environment: Mapping[str, str] = os.environ) -> list[Path]:
    """Return the bundles that have a name, sorted by name. Of bundles with the same name, the first folder's counts."""
    found: dict[str, Path] = {}
    for folder in bundle_folders(environment):
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            if path.is_file():
                found.setdefault(path.stem, path)
    return [path for _, path in sorted(found.items())]


def find_bundle(name_or_path: str | Path, environment: Mapping[str, str] = os.environ) -> Path:
    """Return the bundle with a name, or the path itself if it is one (it ends in `.onnx` or contains a separator).

    Raises `BundleError` with the closest names if there is no such bundle, and `UsageError` if it is neither a name
    nor a path.
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
    """Return whether a bundle comes with hangtag, whatever its path."""
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


def bundle_folders(environment: Mapping[str, str]) -> list[Path]:
    """Return the folders in which bundles are found by name, in order of precedence."""
    own = [Path(folder) for folder in environment.get(FOLDERS_VARIABLE, "").split(os.pathsep) if folder]
    return [*own, SHIPPED_FOLDER]


METADATA_KEY: Final = "hangtag.card"
"""The key of the card in the ONNX metadata."""

DIGEST_KEY: Final = "hangtag.digest"
"""The key of the SHA-256, in hexadecimal, of the whole file without this entry."""

MAX_BUNDLE_BYTES: Final = 1_000_000_000
"""The largest bundle: a hundred times the shipped one, and below ONNX's own limit."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle in memory: its card, the bytes of the whole file and their SHA-256 in hexadecimal.

    `is_sealed` says whether it has a digest, which detects changes to graph or card.
    """

    path: Path
    card: Card
    model_bytes: bytes
    sha256: str
    is_sealed: bool = False


def read_card(path: Path) -> Card:
    """Read only the card, which takes a few milliseconds and no engine.

    Raises `BundleError` if the file is missing, is not an ONNX model, is cut off, or has no readable card.
    """
    data = _read_bytes(path)
    with _located(path):
        return _parse_metadata(read_metadata(data))


def read_bundle(path: Path) -> Bundle:
    """Read a bundle, compare its file with its digest and its graph with its card.

    Raises `BundleError` as `read_card` does, if the file was changed after it was made, and if graph and card
    contradict each other. Older bundles without a digest can be read too.
    """
    data = _read_bytes(path)
    with _located(path):
        graph = read_graph(data)
        is_sealed = _check_digest(data, graph.metadata)
        card = _parse_metadata(graph.metadata)
        check_structure(graph, card)
    return Bundle(path, card, data, hashlib.sha256(data).hexdigest(), is_sealed)


def write_bundle(model: onnx.ModelProto, card: Card, path: Path) -> None:
    """Write a model with its card, atomically.

    Raises `BundleError`, and writes nothing, if graph and card contradict each other.
    """
    write_model(model.SerializeToString(deterministic=True), card, path)


def write_model(model: bytes, card: Card, path: Path) -> None:
    """Write the bytes of an ONNX model with another card, as `write_bundle` does."""
    with _located(path):
        check_structure(read_graph(model), card)
        data = _seal(replace_metadata(model, METADATA_KEY, render_card(card)))
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def replace_card(path: Path, card: Card) -> None:
    """Replace the card of the bundle at `path`, atomically. The graph stays unchanged, bit for bit.

    Raises `BundleError`, and changes nothing, if the file is not an ONNX model or contradicts the new card.
    """
    write_model(_read_bytes(path), card, path)


def replace_metadata_of(path: Path, key: str, value: str) -> None:
    """Set a metadata entry of a bundle's file, besides the card, atomically.

    Raises `BundleError` if the file cannot be read or is not an ONNX model.
    """
    with _located(path):
        data = _seal(replace_metadata(_read_bytes(path), key, value))
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def graph_digest(data: bytes) -> str:
    """Return the SHA-256, in hexadecimal, of a bundle's file without its card and digest. New figures keep it."""
    return hashlib.sha256(
        replace_metadata(replace_metadata(data, DIGEST_KEY, None), METADATA_KEY, "")
    ).hexdigest()


def _seal(data: bytes) -> bytes:
    return replace_metadata(data, DIGEST_KEY, _digest(data))


def _digest(data: bytes) -> str:
    return hashlib.sha256(replace_metadata(data, DIGEST_KEY, None)).hexdigest()


def _check_digest(data: bytes, metadata: dict[str, str]) -> bool:
    """Return whether a file has a digest. Raises `BundleError` if the digest does not match."""
    if DIGEST_KEY not in metadata:
        return False
    if metadata[DIGEST_KEY] != _digest(data):
        raise BundleError(
            "the file was changed after it was made: it does not match its own digest",
            fix="Use the original file, or export the model again.",
        )
    return True


def _parse_metadata(metadata: dict[str, str]) -> Card:
    if METADATA_KEY not in metadata:
        raise BundleError(
            f"the file has no card (its ONNX metadata lack {METADATA_KEY!r})",
            fix="Use a file that `hangtag train` exported.",
        )
    return parse_card(metadata[METADATA_KEY])


def _read_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BUNDLE_BYTES + 1)
    except OSError as error:
        raise _unreadable(path, error) from None
    if not data:
        raise BundleError("the file is empty", where=path)
    if len(data) > MAX_BUNDLE_BYTES:
        raise BundleError(f"the file is larger than a model may be ({MAX_BUNDLE_BYTES:,} bytes)", where=path)
    return data


def _unreadable(path: Path, error: OSError) -> BundleError:
    if isinstance(error, FileNotFoundError):
        return BundleError(
            "there is no such model file", where=path, fix="`hangtag models` lists the models."
        )
    return BundleError(f"the model file cannot be read ({error.strerror})", where=path)


@contextlib.contextmanager
def _located(path: Path) -> Iterator[None]:
    """Add the file to an error, and turn a parse error into a `BundleError`."""
    try:
        yield
    except WireError as error:
        raise BundleError(f"the file is not a complete ONNX model: {error}", where=path) from None
    except BundleError as error:
        if error.where is not None:
            raise
        raise BundleError(error.problem, where=path, fix=error.fix) from error.__cause__
