"""The page about a catalogue, its figures as PNG files, and its statistics as JSON."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from hangtag.catalogue.describe import Column, Kind, Statistics
from hangtag.catalogue.describe_plots import (
    CATALOGUE,
    CUSTOM,
    LARGE_CELL,
    SHOWN_CLASSES,
    TAIL_CLASSES,
    Strip,
    count_missing,
    draw_sheet,
    make_strip,
    make_strips,
    plot_classes,
    plot_long_tail,
    plot_missing,
    plot_years,
)
from hangtag.catalogue.describe_words import (
    say_balance,
    say_comparison,
    say_gaps,
    say_notable,
    say_rare,
    say_totals,
)
from hangtag.datasets.opening import Catalogue
from hangtag.domain.durable import write_whole
from hangtag.domain.text import render_count
from hangtag.reports.figures import png_bytes
from hangtag.reports.page import Cell, Page, Share
from hangtag.tables.tables import write_json

PAGE_HTML: Final = "describe.html"
STATISTICS_JSON: Final = "statistics.json"
MOST_STRIPS: Final = 400
"""The number of classes of a level for which photos are shown."""

OnStep = Callable[[str], None]


class Described(NamedTuple):
    """A catalogue and its statistics."""

    catalogue: Catalogue
    statistics: Statistics


def write_description(main: Described, own: Described | None, folder: Path, on_step: OnStep) -> Path:
    """Write `describe.html`, its figures as PNG files and `statistics.json`. Return the page.

    `own` is the custom set, if any. `on_step` is called with a description of each step.

    Raises `UsageError` if the extra `report` is not installed or a file cannot be written.
    """
    custom = None if own is None else own.statistics
    facts = {
        "catalogue": main.statistics.to_json(),
        "custom": None if custom is None else custom.to_json(),
        "notable": say_notable(main.statistics, custom),
    }
    page = _DescriptionPage(main, own, folder, on_step).build()
    page.write(folder / PAGE_HTML)
    write_json(facts, folder / STATISTICS_JSON)
    return folder / PAGE_HTML


class _DescriptionPage:
    """Builds the page from top to bottom, and writes each figure as a file on the way."""

    def __init__(self, main: Described, own: Described | None, folder: Path, on_step: OnStep) -> None:
        self._main = main
        self._own = own
        self._statistics = main.statistics
        self._custom = None if own is None else own.statistics
        self._folder = folder
        self._on_step = on_step
        self._page = Page(f"What is in {main.statistics.name}", say_totals(main.statistics, self._custom))

    def build(self) -> Page:
        self._page.add_list(say_notable(self._statistics, self._custom))
        self._add_totals()
        for column in self._statistics.columns:
            if column.kind is Kind.LEVEL:
                self._on_step(column.name)
                self._add_level(column)
        self._add_custom_photos()
        self._add_attributes()
        self._add_missing()
        self._add_photo_sizes()
        return self._page

    def _add_totals(self) -> None:
        self._page.add_section("Totals")
        sets = self._sets()
        rows: list[list[Cell]] = [
            ["products", *(statistics.products for statistics in sets)],
            ["photos", *(statistics.photos for statistics in sets)],
            ["products without a photo", *(statistics.products_without_photo for statistics in sets)],
            ["photos without a product", *(statistics.photos_without_product for statistics in sets)],
        ]
        for column in self._statistics.columns:
            if column.kind in {Kind.LEVEL, Kind.ATTRIBUTE}:
                found = [statistics.column(column.name) for statistics in sets]
                rows.append(
                    [
                        f"classes of {column.name}",
                        *(None if column is None else column.classes for column in found),
                    ]
                )
        rows.append(["years", *(_render_years(statistics) for statistics in sets)])
        self._page.add_table(["", *self._names()], rows)

    def _add_level(self, column: Column) -> None:
        page, own = self._page, self._own_column(column)
        page.add_section(column.name)
        said = [say_balance(column), say_rare(column), "" if own is None else say_comparison(column, own)]
        if text := " ".join(filter(None, said)):
            page.add_text(text)
        self._add_classes(column)
        if column.classes > TAIL_CLASSES:
            alternative = f"the sizes of all classes of {column.name} by rank"
            self._add_figure(f"long-tail-{column.name}", png_bytes(plot_long_tail(column)), alternative)
        captions = {label: f"{label} · {count:,}" for label, count in column.counts[:MOST_STRIPS]}
        strips = make_strips(self._main.catalogue, self._statistics.samples.get(column.name, {}), captions)
        which = "each class" if column.classes <= MOST_STRIPS else f"the {MOST_STRIPS} largest classes"
        self._add_strips(f"samples-{column.name}", strips, f"Photos of {which} of {column.name}")

    def _add_custom_photos(self) -> None:
        """Show photos of the custom set below those of the catalogue, class by class at the last level."""
        if self._own is None or not self._own.statistics.levels:
            return
        level = self._own.statistics.levels[-1]
        own, samples = self._own, self._own.statistics.samples.get(level, {})
        mine = self._statistics.samples.get(level, {})
        column = own.statistics.column(level)
        strips = [
            make_strip(
                [(self._main.catalogue, mine.get(label, ())), (own.catalogue, samples.get(label, ()))],
                f"{label} · {count:,}",
                LARGE_CELL,
            )
            for label, count in (column.counts if column else ())
        ]
        self._page.add_section("The custom set next to the catalogue")
        self._page.add_text(
            "The upper row of each class is the catalogue's, the lower one that of the custom set."
        )
        self._add_strips("samples-custom", [strip for strip in strips if strip is not None], "")

    def _add_attributes(self) -> None:
        kinds = {Kind.ATTRIBUTE, Kind.YEAR}
        columns = [column for column in self._statistics.columns if column.kind in kinds and column.counts]
        if columns:
            self._page.add_section("The other columns")
        for column in columns:
            self._on_step(column.name)
            self._page.add_heading(column.name)
            self._add_classes(column)

    def _add_classes(self, column: Column) -> None:
        """Add the bars and the table of one column."""
        own = self._own_column(column)
        is_year = column.kind is Kind.YEAR
        figure = plot_years(self._statistics, self._custom) if is_year else plot_classes(column, own)
        alternative = f"the share of each class of {column.name}"
        self._add_figure(f"distribution-{column.name}", png_bytes(figure), alternative)
        sets = {CATALOGUE: dict(column.counts)}
        if own is not None and own.counts:
            sets[CUSTOM] = dict(own.counts)
        labels = list(dict.fromkeys(label for counts in sets.values() for label in counts))
        rows: list[list[Cell]] = []
        for label in sorted(labels) if is_year else labels:
            shares = [_share_of(counts.get(label), sum(counts.values())) for counts in sets.values()]
            rows.append([label, *(cell for share in shares for cell in share)])
        header = [column.name, *(name for series in sets for name in (series, "share"))]
        words = ("year", "years") if is_year else ("class", "classes")
        self._page.add_table(header, rows, render_count(len(rows), *words))

    def _add_missing(self) -> None:
        self._page.add_section("What is missing")
        missing = [count_missing(statistics) for statistics in self._sets()]
        lacking = [what for what in missing[0] if any(counts.get(what) for counts in missing)]
        if not lacking:
            self._page.add_text("Nothing: every product has its photo and a value in every column.")
            return
        alternative = "the share of products without a photo or a value"
        figure = plot_missing(self._statistics, self._custom)
        self._add_figure("missing", png_bytes(figure), alternative)
        rows: list[list[Cell]] = []
        for what in lacking:
            shares = [
                _share_of(counts.get(what), statistics.products)
                for counts, statistics in zip(missing, self._sets(), strict=True)
            ]
            rows.append([what, *(cell for share in shares for cell in share)])
        self._page.add_table(
            ["missing", *(name for series in self._names() for name in (series, "share"))], rows
        )
        self._say_where(lacking)

    def _say_where(self, lacking: list[str]) -> None:
        products = self._statistics.products
        gaps = {what: [gap for gap in self._statistics.gaps if gap.what == what] for what in lacking}
        if any(gaps.values()):
            self._page.add_text("Some values are missing more often in certain classes than by chance:")
            self._page.add_list(
                [f"{what}: {say_gaps(found, products)}" for what, found in gaps.items() if found]
            )

    def _add_photo_sizes(self) -> None:
        self._page.add_section("Photos")
        for name, statistics in zip(self._names(), self._sets(), strict=True):
            found = statistics.photo_sizes
            opened = render_count(found.opened, "photo", "photos")
            caption = f"{name}: sizes in pixels of {opened}" + (
                "" if found.opened == statistics.photos else f", spread evenly over all {statistics.photos:,}"
            )
            rows: list[list[Cell]] = [
                [size, count, Share(count / found.opened)] for size, count in found.sizes[:SHOWN_CLASSES]
            ]
            if found.unreadable:
                rows.append(["unreadable", found.unreadable, Share(found.unreadable / found.opened)])
            self._page.add_table(["size", "photos", "share"], rows, caption)

    def _add_strips(self, name: str, strips: list[Strip], caption: str) -> None:
        if strips:
            self._write_file(name, draw_sheet(strips))
            self._page.add_photos([(strip.jpeg(), strip.caption) for strip in strips], caption)

    def _add_figure(self, name: str, png: bytes, alternative: str) -> None:
        self._write_file(name, png)
        self._page.add_picture(png, alternative)

    def _write_file(self, name: str, png: bytes) -> None:
        plain = re.sub(r"[^\w-]+", "_", name)  # column names may contain anything
        write_whole(png, self._folder / f"{plain}.png")

    def _sets(self) -> list[Statistics]:
        return [self._statistics] if self._custom is None else [self._statistics, self._custom]

    def _names(self) -> list[str]:
        return [CATALOGUE, CUSTOM][: len(self._sets())]

    def _own_column(self, column: Column) -> Column | None:
        return None if self._custom is None else self._custom.column(column.name)


def _share_of(count: int | None, total: int) -> tuple[Cell, Cell]:
    """Return the two cells of a count: itself and its share."""
    return (None, None) if count is None else (count, Share(count / max(1, total)))


def _render_years(statistics: Statistics) -> str | None:
    years = [year for year, _ in statistics.years]
    return f"{years[0]}–{years[-1]}" if years else None
