"""Quantising: from a bundle and photos to its int8 form and the accuracy that this loses."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hangtag.bundle.card import REFERENCE_PRECISION
from hangtag.bundle.file import Bundle, find_bundle, read_bundle, read_card
from hangtag.bundle.quantised import graph_sha256, is_quantised, quantised_path, read_quantisation
from hangtag.bundle.signatures import OWN
from hangtag.datasets.opening import Catalogue, list_table_files, open_catalogue
from hangtag.domain.errors import BundleError, UsageError
from hangtag.domain.extras import require_extra
from hangtag.evaluation.photo_set import split_photos
from hangtag.evaluation.precision import PrecisionCost, compare_precisions, is_worth_its_speed
from hangtag.inference.measured import forms_file, remember_form
from hangtag.inference.model import load_model
from hangtag.pipelines.arguments import AnyPath, Destination, check_destinations, checked
from hangtag.tables.tables import read_table

if TYPE_CHECKING:
    import pyarrow as pa

    from hangtag.imaging.preprocess import Pixels


@dataclass(frozen=True, slots=True)
class Quantised:
    """An int8 form: its file, what it loses by column, and whether `--precision auto` may choose it.

    Without `is_found`, it can only be loaded by its path: it is not next to its model, and there is no cache.
    """

    path: Path
    costs: Mapping[str, PrecisionCost]
    is_allowed: bool
    is_found: bool = True


@checked
def quantise(
    model: AnyPath,
    catalogue: AnyPath,
    split_table: AnyPath,
    *,
    output: AnyPath | None = None,
    photos: int = 600,
    exact: int | None = None,
    seed: int = 42,
) -> Quantised:
    """Make the int8 form of a model, and measure what it loses. Needs the extra `quantise`.

    The ranges are measured on `photos` train photos, chosen by `seed`; the first `exact` layers stay in float32
    (default: 1). The loss is measured on the validation photos. `output` defaults to MODEL.int8.onnx next to the model.

    Raises `UsageError` for a model that is already in int8, or a file that is something else.
    """
    require_extra("quantise", "making an int8 form", "nncf", "onnx", "onnxruntime")
    from hangtag.training.quantising import EXACT_CONVOLUTIONS, allow, write_quantised_bundle

    bundle = read_bundle(find_bundle(model if isinstance(model, str) else Path(model)))
    if is_quantised(bundle.card):
        raise UsageError("this model is already in int8", where=bundle.path)
    path = quantised_path(bundle.path) if output is None else Path(output)
    _check_output(path, bundle, [*list_table_files(Path(catalogue)), Path(split_table)])
    with open_catalogue(Path(catalogue)) as source:
        table = read_table(Path(split_table))
        pixels = _read_pixels(bundle, _draw_train_photos(table, source, photos, seed), source)
        write_quantised_bundle(bundle, pixels, path, EXACT_CONVOLUTIONS if exact is None else exact)
        reference, quantised = (
            load_model(bundle.path, precision=REFERENCE_PRECISION),
            load_model(path, trusted=OWN),
        )
        costs = compare_precisions(reference, quantised, table, source, "validation")
    allowed = is_worth_its_speed(costs)
    allow(path, {column: cost.to_json() for column, cost in costs.items()}, allowed=allowed)
    return Quantised(path, costs, allowed, is_found=_remember(bundle, path))


def _remember(bundle: Bundle, path: Path) -> bool:
    """Register an int8 form that is not next to its model. Return whether it will be found."""
    if path.resolve() == quantised_path(bundle.path).resolve():
        return True
    memory = forms_file()
    if memory is None:
        return False
    try:
        remember_form(memory, graph_sha256(bundle), path)
    except OSError:
        return False
    return True


def _check_output(path: Path, bundle: Bundle, read: list[Path]) -> None:
    """Raise `UsageError` if the file cannot be written or is an input. An older int8 form may be replaced."""
    destination = Destination("output", path, makes_folder=True, is_model=True)
    check_destinations([destination], [bundle.path, *read])
    if path.exists() and not _is_int8_form(path, bundle):
        problem = "this file is not the int8 form of this model"
        raise UsageError(problem, where=path, fix="Choose another `output`, or remove the file first.")


def _is_int8_form(path: Path, bundle: Bundle) -> bool:
    """Return whether a file is an int8 form of this graph, or of an older graph of the same model."""
    try:
        card = read_card(path)
        if not is_quantised(card):
            return False
        is_beside = path.resolve() == quantised_path(bundle.path).resolve()
        return is_beside or read_quantisation(card).source_graph == graph_sha256(bundle)
    except BundleError:
        return False


def _draw_train_photos(table: "pa.Table", source: Catalogue, count: int, seed: int) -> list[str]:
    """Return the names of train photos chosen by the seed, in the order of the table."""
    import numpy as np

    names = split_photos(table, source, "train").rows["photo"].to_pylist()
    drawn = np.random.default_rng(seed).choice(len(names), min(count, len(names)), replace=False)
    return [names[position] for position in sorted(drawn)]


def _read_pixels(bundle: Bundle, names: list[str], source: Catalogue) -> "Pixels":
    import numpy as np

    from hangtag.training.data import load_pixels

    with tempfile.TemporaryDirectory(prefix="hangtag-") as folder:
        return np.array(load_pixels(names, source, bundle.card.preprocessing, Path(folder) / "train.npy"))
