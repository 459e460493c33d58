"""Comparing models on the same photos: which is better, and whether the difference is significant."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hangtag.bundle.card import Card
from hangtag.datasets.splits import PHOTO_COLUMN
from hangtag.domain.significance import SIGNIFICANT, two_sided_sign_test
from hangtag.evaluation.evaluate import Measurement
from hangtag.evaluation.reading import percent


@dataclass(frozen=True, slots=True)
class Duel:
    """Two models on one head, over the labelled photos for which both have predictions.

    `only_first` and `only_second` count the photos for which only that model is right; the accuracies are over all
    `support` photos.
    """

    column: str
    first: str
    second: str
    only_first: int
    only_second: int
    first_accuracy: float
    second_accuracy: float
    support: int

    @property
    def chance(self) -> float:
        """The probability that equally good models differ this much (two-sided sign test)."""
        return two_sided_sign_test(self.only_first, self.only_second)


def compare_models(measurements: Mapping[str, Measurement]) -> list[Duel]:
    """Return, for each column that several models predict, the best one's duels with the others, the closest first."""
    columns = dict.fromkeys(column for measured in measurements.values() for column in measured.truths)
    return [duel for column in columns for duel in _duels(column, measurements)]


def title_models(cards: Sequence[Card]) -> list[str]:
    """Return a title for each card: its name, and if names repeat also its version or number."""
    titles = [card.name for card in cards]
    for tell_apart in (
        [card.version for card in cards],
        [f"no. {place}" for place in range(1, len(cards) + 1)],
    ):
        times = Counter(titles)
        titles = [
            title if times[title] == 1 else f"{title} {more}"
            for title, more in zip(titles, tell_apart, strict=True)
        ]
    return titles


def read_duel(duel: Duel) -> str:
    """Return the result of a duel as a sentence. The first model is the better one."""
    start = (
        f"{duel.column}: {duel.first} ({percent(duel.first_accuracy)}) and {duel.second} "
        f"({percent(duel.second_accuracy)})"
    )
    if not duel.only_first and not duel.only_second:
        return f"{start} are right for exactly the same photos."
    alone = f"{duel.first} alone is right for {duel.only_first:,} photos, {duel.second} alone for {duel.only_second:,}"
    chance = duel.chance
    if chance < SIGNIFICANT:
        level = "p < 0.001" if chance < 0.001 else f"p = {chance:.3f}"  # noqa: PLR2004 - what readers want to know
        return f"{start} differ by more than chance: {alone} ({level})."
    return f"{start} do not differ significantly on these photos: {alone} (p = {chance:.2f})."


def _duels(column: str, measurements: Mapping[str, Measurement]) -> Iterator[Duel]:
    hits = {
        title: _hits(measured, column)
        for title, measured in measurements.items()
        if column in measured.truths
    }
    common = [photo for photo in next(iter(hits.values())) if all(photo in known for known in hits.values())]
    if not common:
        return
    ranked = sorted(hits, key=lambda title: -sum(hits[title][photo] for photo in common))
    for title in ranked[1:]:
        yield _duel(column, (ranked[0], title), (hits[ranked[0]], hits[title]), common)


def _duel(
    column: str,
    titles: tuple[str, str],
    hits: tuple[Mapping[str, bool], Mapping[str, bool]],
    photos: Sequence[str],
) -> Duel:
    pairs = [(hits[0][photo], hits[1][photo]) for photo in photos]
    return Duel(
        column,
        *titles,
        only_first=sum(first and not second for first, second in pairs),
        only_second=sum(second and not first for first, second in pairs),
        first_accuracy=sum(first for first, _ in pairs) / len(pairs),
        second_accuracy=sum(second for _, second in pairs) / len(pairs),
        support=len(pairs),
    )


def _hits(measured: Measurement, column: str) -> dict[str, bool]:
    """Return whether the prediction is right, for each photo that has a label."""
    truth = measured.truths[column]
    right = (measured.answers.predictions.label_indices[column] == truth.indices).tolist()
    names = measured.answers.rows[PHOTO_COLUMN].to_pylist()
    return {
        name: hit for name, hit, counted in zip(names, right, truth.counted.tolist(), strict=True) if counted
    }
