"""The figures of a description: how products are distributed over classes and years, and what is missing."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Final

from hangtag.catalogue.describe import Column, Statistics
from hangtag.catalogue.describe_gaps import PHOTO
from hangtag.catalogue.describe_words import FEW_EXAMPLES
from hangtag.domain.text import render_count, render_share
from hangtag.reports.figures import bar_chart, bar_panels
from hangtag.reports.style import ACCENT, FADED_INK, INK, SERIES_COLOURS, SMALL, new_figure, quieten

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CATALOGUE: Final = "catalogue"
CUSTOM: Final = "custom set"

SHOWN_CLASSES: Final = 40
"""So many of the largest classes get a bar of their own; the others share one."""

TAIL_CLASSES: Final = 30
"""From more classes on, their sizes are also drawn by rank, all of them."""

Counts = Mapping[str, int]


def plot_classes(column: Column, own: Column | None) -> "Figure":
    """Draw the share of each class, and beside it that of the custom set, so that 20 products compare to 40,000.

    Shares are of the products that have a value.
    """
    sets = _present(column, own)
    shown = [label for label, _ in column.counts[:SHOWN_CLASSES]]
    shown += [label for counts in list(sets.values())[1:] for label in counts if label not in shown]
    others = {label for counts in sets.values() for label in counts}.difference(shown)
    rest = render_count(len(others), "other class", "other classes")
    grouped = {
        name: {label: counts[label] for label in shown if label in counts} | _sum_up(counts, others, rest)
        for name, counts in sets.items()
    }
    title = f"Products by {column.name}"
    return _draw_shares(grouped, {name: sum(counts.values()) for name, counts in grouped.items()}, title)


def plot_long_tail(column: Column) -> "Figure":
    """Draw the sizes of all classes, the largest first, and which of them have few examples."""
    sizes = [count for _, count in column.counts]
    many = sum(size >= FEW_EXAMPLES for size in sizes)
    figure = new_figure(3.0)
    axes = figure.subplots()
    quieten(
        axes,
        title=f"All {len(sizes):,} classes of {column.name}",
        x_name="rank of the class",
        y_name="products",
    )
    colours = [ACCENT] * many + [SERIES_COLOURS[1]] * (len(sizes) - many)
    axes.bar(range(1, len(sizes) + 1), sizes, 0.8, color=colours)
    axes.set_yscale("log")
    axes.set(xlim=(0, len(sizes) + 1), ylim=(0.7, 2 * max(sizes)))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.tick_params(which="minor", length=0)
    axes.grid(visible=False, axis="x")
    axes.axhline(FEW_EXAMPLES, color=FADED_INK, linewidth=1, linestyle=(0, (4, 3)))
    few = f"{render_count(len(sizes) - many, 'class', 'classes')} with fewer than {FEW_EXAMPLES} products"
    axes.annotate(
        few,
        (len(sizes), FEW_EXAMPLES),
        (0, 4),
        textcoords="offset points",
        ha="right",
        fontsize=SMALL,
        color=INK,
    )
    return figure


def plot_years(statistics: Statistics, custom: Statistics | None) -> "Figure":
    """Draw how many products are of each year; shares, where there is a custom set with years."""
    sets = {CATALOGUE: dict(statistics.years)}
    if custom is not None and custom.years:
        sets[CUSTOM] = dict(custom.years)
    if len(sets) == 1:
        return bar_chart(sets, title="Products by year", value_name="products", horizontal=False)
    years = sorted({year for counts in sets.values() for year in counts})
    shares = {
        name: {year: 100 * counts.get(year, 0) / sum(counts.values()) for year in years}
        for name, counts in sets.items()
    }
    return bar_chart(
        shares, title="Products by year", value_name="share of the products, %", horizontal=False
    )


def plot_missing(statistics: Statistics, custom: Statistics | None) -> "Figure":
    """Draw the share of products without a photo, and without a value of each column that lacks some."""
    sets = {CATALOGUE: statistics} if custom is None else {CATALOGUE: statistics, CUSTOM: custom}
    missing = {name: count_missing(one) for name, one in sets.items()}
    lacking = [what for what in missing[CATALOGUE] if any(counts.get(what) for counts in missing.values())]
    shown = {name: {what: counts.get(what, 0) for what in lacking} for name, counts in missing.items()}
    totals = {name: one.products for name, one in sets.items()}
    return _draw_shares(shown, totals, "Products without a photo or a value")


def count_missing(statistics: Statistics) -> dict[str, int]:
    """Return how many products have no photo, and no value of each column."""
    return {PHOTO: statistics.products_without_photo} | {
        column.name: column.missing for column in statistics.columns
    }


def _draw_shares(counts: Mapping[str, Counts], totals: Mapping[str, int], title: str) -> "Figure":
    """Draw counts as percentages of each set's total, with the counts themselves in writing."""
    shares = {
        name: {label: count / max(1, totals[name]) for label, count in found.items()}
        for name, found in counts.items()
    }
    percentages = {
        name: {label: 100 * share for label, share in found.items()} for name, found in shares.items()
    }
    texts = {
        name: {label: f"{count:,} · {render_share(shares[name][label])}" for label, count in found.items()}
        for name, found in counts.items()
    }
    return bar_panels(percentages, texts, title=title, value_name="share of the products, %")


def _sum_up(counts: Counts, labels: Collection[str], name: str) -> dict[str, int]:
    total = sum(counts.get(label, 0) for label in labels)
    return {name: total} if total else {}


def _present(column: Column, own: Column | None) -> dict[str, Counts]:
    """Return the sets that have values of a column."""
    sets: dict[str, Counts] = {CATALOGUE: dict(column.counts)}
    return sets if own is None or not own.counts else sets | {CUSTOM: dict(own.counts)}
