"""The noise ceiling: the best accuracy of any model that sees only the photo.

If identical photos have different labels, no model can be right about all of them. Within such a group the best
prediction is the most frequent label; the share of photos that have it is an upper bound. It is optimistic, since the
prediction is chosen per group after the fact. The probability that two photos drawn from a group have the same label
gives a lower bound: if the labels of a picture have the shares p, the best prediction is right with max(p), while two
photos agree with sum(p * p), which is less.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from hangtag.imaging.fingerprint import Fingerprint, near_duplicate_groups

Likeness = Literal["exact", "near"]

LabelsByPhoto = Mapping[str, Sequence[str | None]]
"""The labels of photos by name, in column order. Photos without a row are left out."""

_Z_95: Final = 1.959963984540054


@dataclass(frozen=True, slots=True)
class NoiseCeiling:
    """How often the labels of one column agree among photos that show the same picture.

    `likeness` is `exact` for groups with identical pixels, `near` for groups with different pixels of nearly the same
    picture. Only groups with at least two known labels count. `twin_agreement` is the probability that another photo
    drawn from a photo's group has the same label, `best_accuracy` the share of photos with their group's most frequent
    label, and `interval_95` its interval. Shares are NaN if there is no group.
    """

    column: str
    likeness: Likeness
    groups: int
    photos: int
    pairs: int
    disagreeing_pairs: int
    twin_agreement: float
    best_accuracy: float
    interval_95: tuple[float, float]

    @property
    def disagreement(self) -> float:
        """The share of pairs that disagree; NaN without pairs."""
        return self.disagreeing_pairs / self.pairs if self.pairs else math.nan

    def to_json(self) -> dict[str, Any]:
        """Return all figures; undefined shares are null."""
        values = {**asdict(self), "disagreement": self.disagreement, "interval_95": list(self.interval_95)}
        return {
            name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in values.items()
        }


def measure_noise_ceilings(
    prints: Mapping[str, Fingerprint], columns: Sequence[str], labels: LabelsByPhoto
) -> list[NoiseCeiling]:
    """Return the ceilings of every column, first for exact, then for near duplicates.

    `prints` holds the fingerprint of each photo by name.
    """
    exact: defaultdict[str, list[str]] = defaultdict(list)
    near: defaultdict[int, list[str]] = defaultdict(list)
    for name, number in zip(prints, near_duplicate_groups(list(prints.values())), strict=True):
        exact[prints[name].pixels_sha256].append(name)
        near[number].append(name)
    unlike = [names for names in near.values() if len({prints[name].pixels_sha256 for name in names}) > 1]
    likenesses: dict[Likeness, Iterable[Sequence[str]]] = {"exact": list(exact.values()), "near": unlike}
    return [
        _measure(column, likeness, _count_labels(groups, labels, position))
        for likeness, groups in likenesses.items()
        for position, column in enumerate(columns)
    ]


def _count_labels(
    groups: Iterable[Sequence[str]], labels: LabelsByPhoto, position: int
) -> list[Counter[str]]:
    """Return how often each label occurs in each group with at least two known labels."""
    counts = []
    for names in groups:
        given = (labels[name][position] for name in names if name in labels)
        counts.append(Counter(label for label in given if label is not None))
    return [group for group in counts if group.total() > 1]


def _measure(column: str, likeness: Likeness, groups: Sequence[Counter[str]]) -> NoiseCeiling:
    sizes = [group.total() for group in groups]
    best = [max(group.values()) for group in groups]
    # Ordered pairs of different photos, in the whole group and with the same label.
    ordered = [size * (size - 1) for size in sizes]
    agreeing = [sum(count * (count - 1) for count in group.values()) for group in groups]
    photos = sum(sizes)
    twins = sum(same / (size - 1) for same, size in zip(agreeing, sizes, strict=True))
    return NoiseCeiling(
        column=column,
        likeness=likeness,
        groups=len(groups),
        photos=photos,
        pairs=sum(ordered) // 2,
        disagreeing_pairs=(sum(ordered) - sum(agreeing)) // 2,
        twin_agreement=twins / photos if photos else math.nan,
        best_accuracy=sum(best) / photos if photos else math.nan,
        interval_95=_interval(best, sizes),
    )


def _interval(hits: Sequence[int], sizes: Sequence[int]) -> tuple[float, float]:
    """Return the 95 % interval of sum(hits) / sum(sizes), where groups rather than photos are sampled.

    It is Wilson's (1927) with the effective sample size: the number of independent photos with the same variance as
    the groups (Korn and Graubard 1998, "Confidence intervals for proportions with small expected number of positive
    counts estimated from survey data"). If the groups show no variance, each group counts as one photo.
    """
    groups, photos = len(sizes), sum(sizes)
    if groups == 0:
        return (0.0, 1.0)
    rate = sum(hits) / photos
    squares = sum((hit - rate * size) ** 2 for hit, size in zip(hits, sizes, strict=True))
    variance = squares / photos**2 * groups / max(1, groups - 1)
    support = min(float(photos), rate * (1 - rate) / variance) if variance > 0 else float(groups)
    square = _Z_95 * _Z_95
    centre = (rate + square / (2 * support)) / (1 + square / support)
    spread = math.sqrt(rate * (1 - rate) / support + square / (4 * support * support))
    half = _Z_95 * spread / (1 + square / support)
    return (max(0.0, centre - half), min(1.0, centre + half))
