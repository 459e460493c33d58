"""What reports call the models: the name on the card, with what tells it from another of that name."""

from collections import Counter
from collections.abc import Sequence

from hangtag.bundle.card import Card


def title_models(cards: Sequence[Card]) -> list[str]:
    """Return a title for each card: its name, with its version or else its place where two bear the same name."""
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
