"""The command `hangtag bench`."""

import tempfile
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hangtag.domain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.table import Table

    from hangtag.inference.choice import EngineSetting, Timing
    from hangtag.inference.selection import Forms
    from hangtag.labelling.inputs import PhotoFile

_PHOTO_QUALITY: Final = 90
_WHOLE: Final = "from files to labels, {}"


def bench(
    *,
    model: Annotated[str, typer.Option("--model", "-m", help="A model's name or file.")] = "default",
    photos: Annotated[
        Path | None,
        typer.Option(help="A folder of photos to measure with.  [default: photos that hangtag draws]"),
    ] = None,
    count: Annotated[
        int, typer.Option(min=32, help="How many photos a round takes; fewer are taken again.")
    ] = 512,
    rounds: Annotated[int, typer.Option(min=1, help="How often everything is measured.")] = 5,
    store: Annotated[
        bool, typer.Option("--store/--no-store", help="Let precision auto use what was measured.")
    ] = True,
    forget: Annotated[
        bool, typer.Option("--forget", help="Remove what was measured, and measure nothing.")
    ] = False,
) -> None:
    """Measure this machine, and choose what labels fastest on it.

    Reading, decoding, and the network are measured alone and together, in every arithmetic that the model and the
    processor offer. What is chosen is kept for this model on this machine, in the user's cache or the file that
    HANGTAG_BENCH names, and used wherever the precision is auto. Other work on the machine spoils the figures.
    """
    from hangtag.bundle.file import read_bundle
    from hangtag.bundle.shipped import find_bundle
    from hangtag.inference.choice import choose_setting
    from hangtag.inference.selection import Forms

    if forget:
        _forget()
        return
    forms = Forms.of(read_bundle(find_bundle(model)))
    with tempfile.TemporaryDirectory(prefix="hangtag-") as folder:
        chosen_photos = _find_photos(photos or _draw_photos(Path(folder)), count)
        timings = _measure(forms, chosen_photos, rounds)
    setting = choose_setting(timings, forms.allowed)
    if setting is None:
        return
    typer.echo(f"\nauto takes {_describe(setting, timings)}")
    if store:
        _store(forms, timings)


def _forget() -> None:
    from hangtag.inference.measured import forget, measurements_file

    path = measurements_file()
    removed = path is not None and forget(path)
    typer.echo(f"{path} removed" if removed else "nothing was kept")


def _draw_photos(folder: Path) -> Path:
    """Write the sample photos as a shop stores them: JPEG files."""
    from hangtag.imaging.samples import draw_sample_photos

    for name, image in draw_sample_photos().items():
        image.save(folder / f"{name}.jpg", quality=_PHOTO_QUALITY)
    return folder


def _find_photos(folder: Path, count: int) -> "list[PhotoFile]":
    from hangtag.labelling.inputs import PhotoWalk

    found = list(islice(PhotoWalk([folder]), count))
    if not found:
        raise UsageError("there is no photo in this folder", where=folder)
    return list(islice(cycle(found), count))


def _measure(forms: "Forms", photos: "Sequence[PhotoFile]", rounds: int) -> "list[Timing]":
    """Measure and print everything; return what the engine's settings came to."""
    from hangtag.cli.console import open_console
    from hangtag.inference.choice import choose_setting, time_in_turn
    from hangtag.inference.cpus import count_usable_cpus
    from hangtag.labelling.trial import Workload, time_engines, time_parts

    console = open_console()
    workload = Workload(photos, count_usable_cpus(), forms.offered)
    timer = partial(time_in_turn, rounds=rounds)
    console.print(f"{len(photos):,} photos, {workload.processors} processors, medians of {rounds} rounds\n")
    engines = time_engines(workload, timer)
    timings = list(engines.values())
    console.print(_render_engines(timings, forms.allowed))
    best = [choose_setting(timings, [precision]) for precision in forms.offered]
    whole = {
        _WHOLE.format(one.setting.precision): engine for engine, one in engines.items() if one.setting in best
    }
    console.print(_render_parts(time_parts(workload, whole, timer)))
    return timings


def _render_engines(timings: "Sequence[Timing]", allowed: "Sequence[str]") -> "Table":
    from rich.table import Table

    table = Table("the network alone", box=None, pad_edge=False)
    for heading in ("threads", "photos at a time", "images/s", "beside the first"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for timing in timings:
        setting = timing.setting
        table.add_row(
            setting.precision,
            str(setting.threads),
            str(setting.batch_size),
            f"{timing.images_per_s:,.0f}",
            f"{timing.images_per_s / timings[0].images_per_s:.2f}",
            "" if setting.precision in allowed else "not chosen: its card does not allow it",
        )
    return table


def _render_parts(rates: "Mapping[str, float]") -> "Table":
    from rich.table import Table

    table = Table("the way of a photo", box=None, pad_edge=False)
    table.add_column("images/s", justify="right")
    for part, rate in rates.items():
        table.add_row(part, f"{rate:,.0f}")
    return table


def _describe(chosen: "EngineSetting", timings: "Sequence[Timing]") -> str:
    rates = {timing.setting: timing.images_per_s for timing in timings}
    times = rates[chosen] / timings[0].images_per_s
    first = timings[0].setting
    beside = "" if chosen == first else f": {times:.2f} times as fast as {first.precision} as usual"
    return f"{chosen.precision}, {chosen.threads} threads, {chosen.batch_size} photos at a time{beside}"


def _store(forms: "Forms", timings: "Sequence[Timing]") -> None:
    from hangtag.inference.measured import FILE_VARIABLE, NO_FILE, measurements_file, remember

    path = measurements_file()
    if path is None:
        typer.echo(f"nothing is kept: {FILE_VARIABLE} is {NO_FILE}")
        return
    remember(path, forms.record(timings))
    typer.echo(f"kept in {path}; `hangtag bench --forget` removes it")
