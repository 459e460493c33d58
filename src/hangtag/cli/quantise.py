"""The command `hangtag quantise`."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hangtag.domain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from hangtag.bundle.file import Bundle
    from hangtag.datasets.opening import Catalogue
    from hangtag.imaging.preprocess import Pixels


def quantise(
    model: Annotated[str, typer.Argument(help="A model's name or file.")] = "default",
    *,
    catalogue: Annotated[
        Path, typer.Option(help="The catalogue: its folder, or the zip as downloaded.", envvar="HANGTAG_DATA")
    ],
    split_table: Annotated[Path, typer.Option(help="The table from hangtag split that the model learnt by.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file to write. Default: MODEL.int8.onnx beside the model."),
    ] = None,
    photos: Annotated[int, typer.Option(min=4, help="How many train photos to calibrate with.")] = 600,
    exact: Annotated[
        int | None, typer.Option(min=0, help="How many first layers stay in float32.  [default: 1]")
    ] = None,
    seed: Annotated[int, typer.Option(help="Chooses the photos; the same seed chooses the same.")] = 42,
) -> None:
    """Make the int8 form of a model, and measure what it loses.

    Ranges are measured on train photos, the loss against float32 on the validation photos. The new file lies beside
    the model, and is chosen by itself only where it loses next to nothing and `hangtag bench` finds it the fastest.
    """
    _require_nncf()
    from hangtag.bundle.file import read_bundle
    from hangtag.bundle.quantised import is_quantised, quantised_path
    from hangtag.bundle.shipped import find_bundle
    from hangtag.datasets.opening import list_table_files, open_catalogue
    from hangtag.tables.tables import read_table
    from hangtag.training.quantising import EXACT_CONVOLUTIONS, write_quantised_bundle

    bundle = read_bundle(find_bundle(model))
    if is_quantised(bundle.card):
        raise UsageError("this model is in int8 already", where=bundle.path)
    path = quantised_path(bundle.path) if output is None else output
    _check_output(path, bundle, [*list_table_files(catalogue), split_table])
    with open_catalogue(catalogue) as source:
        table = read_table(split_table)
        pixels = _read_pixels(bundle, table, source, (photos, seed))
        write_quantised_bundle(bundle, pixels, path, EXACT_CONVOLUTIONS if exact is None else exact)
        _measure(bundle, path, table, source)


def _require_nncf() -> None:
    from importlib.util import find_spec

    if find_spec("nncf") is None or find_spec("onnxruntime") is None:
        raise UsageError(
            "an int8 form is made with the extra `quantise`", fix="Run `pip install 'hangtag[quantise]'`."
        )


def _check_output(path: Path, bundle: "Bundle", read: "Sequence[Path]") -> None:
    """Raise `UsageError` when the file cannot be written or is needed; an int8 form may be made anew."""
    from hangtag.pipelines.destinations import Destination, check_destinations

    check_destinations(
        [Destination("--output", path, makes_folder=True, is_model=True)], [bundle.path, *read]
    )
    if path.exists() and not _is_int8_form(path, bundle):
        problem = "this is something else than the int8 form of this model"
        raise UsageError(problem, where=path, fix="Choose another --output, or remove the file first.")


def _is_int8_form(path: Path, bundle: "Bundle") -> bool:
    """Say whether a file is an int8 form: of this graph, or of an older one of the model of this name."""
    from hangtag.bundle.file import read_card
    from hangtag.bundle.quantised import graph_sha256, is_quantised, quantised_path, read_quantisation
    from hangtag.domain.errors import BundleError

    try:
        card = read_card(path)
        if not is_quantised(card):
            return False
        is_beside = path.resolve() == quantised_path(bundle.path).resolve()
        return is_beside or read_quantisation(card).source_graph == graph_sha256(bundle)
    except BundleError:
        return False


def _read_pixels(
    bundle: "Bundle", table: "pa.Table", source: "Catalogue", chosen: tuple[int, int]
) -> "Pixels":
    """Return the pixels of some train photos, chosen by how many and a seed."""
    import numpy as np

    from hangtag.evaluation.photo_set import split_photos
    from hangtag.training.data import load_pixels

    count, seed = chosen
    names = split_photos(table, source, "train").rows["photo"].to_pylist()
    drawn = np.random.default_rng(seed).choice(len(names), min(count, len(names)), replace=False)
    with tempfile.TemporaryDirectory(prefix="hangtag-") as folder:
        cache = Path(folder) / "train.npy"
        return np.array(
            load_pixels([names[one] for one in sorted(drawn)], source, bundle.card.preprocessing, cache)
        )


def _measure(bundle: "Bundle", path: Path, table: "pa.Table", source: "Catalogue") -> None:
    """Compare the int8 form with float32 on the validation photos, and store the verdict in its card."""
    from hangtag.bundle.card import REFERENCE_PRECISION
    from hangtag.evaluation.precision import compare_precisions, is_worth_its_speed
    from hangtag.inference.model import load_model
    from hangtag.training.quantising import allow

    reference, quantised = load_model(bundle.path, precision=REFERENCE_PRECISION), load_model(path)
    costs = compare_precisions(reference, quantised, table, source, "validation")
    for column, cost in costs.items():
        typer.echo(
            f"int8 on validation: {column} loses {cost.lost_points:+.2f} points, "
            f"{cost.agreement:.2%} of {cost.support:,} answers are the same",
            err=True,
        )
    passed = is_worth_its_speed(costs)
    allow(path, {column: cost.to_json() for column, cost in costs.items()}, allowed=passed)
    typer.echo(f"{path} written")
    if passed:
        typer.echo("It may be chosen by itself: `hangtag bench` measures whether it is the fastest here.")
    else:
        typer.echo("It loses too much to be chosen by itself; --precision int8 still asks for it.")
