"""What `hangtag evaluate --write-card` may store in a card: figures that the card can state without a lie."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import typer

from hangtag.bundle.card import Card
from hangtag.bundle.file import replace_card
from hangtag.bundle.shipped import is_shipped
from hangtag.datasets.splits import VALIDATION
from hangtag.domain.errors import UsageError
from hangtag.domain.text import printable
from hangtag.evaluation.evaluate import Measurement
from hangtag.evaluation.photo_set import CUSTOM, PhotoSet
from hangtag.evaluation.report import add_to_card
from hangtag.evaluation.seen import Verdict, judge

_OPTION = "--write-card"


def refuse_shipped(files: Iterable[Path]) -> None:
    """Raise `UsageError` when one of the models came with hangtag: its file is not its user's to change."""
    for file in files:
        if is_shipped(file):
            fix = "Copy the file elsewhere, and name the copy."
            raise UsageError(
                f"this model comes with hangtag, and {_OPTION} would change it", where=file, fix=fix
            )


def check_cards(cards: Collection[Card], photos: PhotoSet) -> None:
    """Raise `UsageError` when the photos say nothing that a card could state under the name of their set."""
    for card in cards:
        seen = judge(card, photos)
        if not _may_be_stored(seen.verdict, photos):
            fix = f"Leave {_OPTION} out, and keep the figures with --output."
            raise UsageError(
                f"these figures do not belong into a card. {seen.reason}", where=_OPTION, fix=fix
            )


def write_cards(files: Iterable[Path], found: Mapping[str, Measurement]) -> None:
    """Store each model's figures in its file, and say so."""
    for file, one in zip(files, found.values(), strict=True):
        replace_card(file, add_to_card(one.card, one.report))
        typer.echo(
            printable(f"The figures on {one.report['split']['name']} are stored in the card of {file}")
        )


def _may_be_stored(verdict: Verdict, photos: PhotoSet) -> bool:
    """Say whether figures may stand in a card: held out, or of a set whose name and verdict promise no more."""
    if verdict in {Verdict.HELD_OUT, Verdict.KEPT_BACK}:
        return True
    if photos.split_table is not None:
        return verdict is Verdict.TUNED_ON and photos.name == VALIDATION
    return verdict is Verdict.UNKNOWN and photos.name != CUSTOM
