"""What is notable about a catalogue, in sentences."""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final

from hangtag.catalogue.describe import PHOTO, Column, Gap, Statistics
from hangtag.domain.text import render_count, render_share

FEW_EXAMPLES: Final = 100
"""A class with fewer products is hard to learn, and its figures are mostly chance."""

MANY_CLASSES: Final = 10
NAMED: Final = 6


def say_totals(statistics: Statistics, custom: Statistics | None) -> str:
    """Summarise the contents in a sentence: the lead of the page, the first line on the screen."""
    leaf = statistics.column(statistics.levels[-1]) if statistics.levels else None
    classes = "" if leaf is None else f" in {render_count(leaf.classes, 'class', 'classes')} of {leaf.name}"
    photos = render_count(statistics.photos, "photo", "photos")
    products = render_count(statistics.products, "product", "products")
    said = f"{products}{classes}, {photos}."
    if custom is None:
        return said
    return f"{said} Next to it, a custom set of {render_count(custom.products, 'product', 'products')}."


def say_notable(statistics: Statistics, custom: Statistics | None) -> list[str]:
    """Describe what a reader should know before using the catalogue, each point in a sentence or two."""
    said: list[str] = []
    levels = [column for name in statistics.levels if (column := statistics.column(name)) is not None]
    if levels:
        said += [_about(levels[0], say_balance(levels[0])), _about(levels[-1], say_rare(levels[-1]))]
    said += [_say_photos(statistics), _say_values(statistics), _say_years(statistics)]
    said += [_say_sizes(statistics, custom)]
    if custom is not None:
        said += _say_custom(levels, custom)
    return [sentence for sentence in said if sentence]


def say_balance(column: Column) -> str:
    """Describe a column's largest class and how the others compare; empty for a single class."""
    if column.classes < 2 or not column.counts:  # noqa: PLR2004 - one class cannot be unbalanced
        return ""
    filled = sum(count for _, count in column.counts)
    (largest, most), (smallest, least) = column.counts[0], column.counts[-1]
    said = (
        f"{largest} is the largest of {column.classes:,} classes with {render_share(most / filled)} "
        f"of the products, {smallest} the smallest with {least:,}."
    )
    if column.classes <= MANY_CLASSES:
        return said
    return f"{said} The largest {_classes_of_half(column):,} hold half of the products."


def say_rare(column: Column) -> str:
    """Describe how many classes of a column have few examples; empty if none has."""
    few = [count for _, count in column.counts if count < FEW_EXAMPLES]
    if not few:
        return ""
    if len(few) == column.classes:
        return f"No class has {FEW_EXAMPLES} products: hard to learn, and hard to measure."
    share = render_share(sum(few) / sum(count for _, count in column.counts))
    return (
        f"{len(few):,} of {column.classes:,} classes {'has' if len(few) == 1 else 'have'} fewer than {FEW_EXAMPLES} "
        f"products, {share} of all products together: hard to learn, and hard to measure."
    )


def say_gaps(gaps: Sequence[Gap], products: int) -> str:
    """Describe in which classes one thing is missing; empty if it is missing all over the catalogue."""
    return ", ".join(
        f"{gap.missing_in_label:,} in {gap.column} {gap.label} ({render_share(gap.missing_in_label / gap.missing)}, "
        f"against {render_share(gap.label_products / products)} of all products)"
        for gap in gaps
    )


def say_comparison(column: Column, own: Column) -> str:
    """Describe which classes of the catalogue a custom set has, and which it has that the catalogue lacks."""
    known, theirs = dict(column.counts), dict(own.counts)
    lacking = [label for label in known if label not in theirs]
    strange = [label for label in theirs if label not in known]
    said = f"The custom set has {len(known) - len(lacking):,} of the {len(known):,} classes"
    said += f"; it lacks {_join(lacking)}." if lacking else "."
    if strange:
        said += f" Its {_join(strange)} {'is' if len(strange) == 1 else 'are'} unknown to the catalogue."
    return said


def _about(column: Column, said: str) -> str:
    return f"{column.name}: {said}" if said else ""


def _say_photos(statistics: Statistics) -> str:
    lacking = statistics.products_without_photo
    if not lacking:
        return ""
    where = say_gaps([gap for gap in statistics.gaps if gap.what == PHOTO], statistics.products)
    said = render_count(lacking, "product has no photo", "products have no photo")
    return f"{said}, and not by chance: {where}." if where else f"{said}."


def _say_values(statistics: Statistics) -> str:
    """Describe where the column with most missing values lacks them, considering only significant gaps."""
    gaps = [gap for gap in statistics.gaps if gap.what != PHOTO]
    if not gaps:
        return ""
    worst = max(gaps, key=lambda gap: gap.missing)
    where = say_gaps([gap for gap in gaps if gap.what == worst.what], statistics.products)
    lacking = render_count(worst.missing, "product has", "products have")
    return f"{lacking} no {worst.what}, and not by chance: {where}."


def _say_years(statistics: Statistics) -> str:
    if len(statistics.years) < 3:  # noqa: PLR2004 - of one or two years nothing is notable
        return ""
    (first, most), (second, next_most) = sorted(statistics.years, key=lambda entry: -entry[1])[:2]
    share = render_share((most + next_most) / sum(count for _, count in statistics.years))
    return (
        f"{share} of the products are of {min(first, second)} and {max(first, second)}; "
        f"the years reach from {statistics.years[0][0]} to {statistics.years[-1][0]}."
    )


def _say_sizes(statistics: Statistics, custom: Statistics | None) -> str:
    said = []
    for described, whose in ((statistics, "The photos"), (custom, "those of the custom set")):
        if described is not None and described.photo_sizes.sizes:
            size, count = described.photo_sizes.sizes[0]
            share = count / described.photo_sizes.opened
            often = "all" if share == 1 else render_share(share)
            said.append(f"{whose} are {size} pixels ({often} of them)")
    return f"{', '.join(said)}." if said else ""


def _say_custom(levels: Sequence[Column], custom: Statistics) -> Iterator[str]:
    for column in levels:
        own = custom.column(column.name)
        if own is not None and own.counts:
            has_strange = not dict(own.counts).keys() <= dict(column.counts).keys()
            if has_strange or column in {levels[0], levels[-1]}:
                yield _about(column, say_comparison(column, own))
    empty = [column.name for column in custom.columns if column.missing == custom.products > 0]
    if empty:
        yield f"The custom set has no value at all for {_join(empty)}."


def _classes_of_half(column: Column) -> int:
    """Return how many of the largest classes together have half of the products."""
    held = list(accumulate(count for _, count in column.counts))
    return 1 + sum(products < held[-1] / 2 for products in held)


def _join(names: Sequence[str]) -> str:
    """List names as in a sentence, shortened if there are many."""
    if len(names) > NAMED:
        return f"{', '.join(names[: NAMED - 1])} and {len(names) - NAMED + 1:,} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
