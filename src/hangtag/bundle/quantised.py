"""The int8 form of a model: a separate bundle, `NAME.int8.onnx`, next to the one that it was made from.

Its card is its source's, except for the precision, the golden logits and the entry `quantisation` in its data: the
graph that it is the int8 form of, how it was made, and what that costs.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from hangtag.bundle.card import QUANTISED_PRECISION, Card
from hangtag.bundle.file import Bundle, graph_digest, read_bundle
from hangtag.domain.errors import BundleError

DATA_KEY: Final = "quantisation"
_ENDING: Final = f".{QUANTISED_PRECISION}"


@dataclass(frozen=True, slots=True)
class Quantisation:
    """The origin of an int8 form, and whether it is good enough for `auto` to choose it.

    `source_graph` is `graph_sha256` of the bundle that it was made from, `method` says how, from `photos` photos, and
    `costs` has by column what it loses against float32: `lost_points`, `agreement`, `support`.
    """

    source_graph: str
    method: str
    photos: int
    allowed: bool
    costs: Mapping[str, Mapping[str, float]]

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "source_graph": self.source_graph,
            "method": self.method,
            "photos": self.photos,
            "allowed": self.allowed,
            "costs": {column: dict(cost) for column, cost in self.costs.items()},
        }


def is_quantised(card: Card) -> bool:
    """Return whether a card is that of an int8 form."""
    return QUANTISED_PRECISION in card.precisions


def read_quantisation(card: Card) -> Quantisation:
    """Return the quantisation facts in an int8 form's card. Raises `BundleError` if there are none."""
    values: Any = card.data.get(DATA_KEY)
    try:
        return Quantisation(
            str(values["source_graph"]),
            str(values["method"]),
            int(values["photos"]),
            values["allowed"] is True,
            {column: dict(cost) for column, cost in values["costs"].items()},
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        raise BundleError("the card of an int8 model does not say what it was made from") from None


def with_quantisation(card: Card, quantisation: Quantisation) -> Card:
    """Return the card of the int8 form of a model with this card."""
    data = {**card.data, DATA_KEY: quantisation.to_json()}
    return replace(card, data=data, precisions=(QUANTISED_PRECISION,))


def graph_sha256(bundle: Bundle) -> str:
    """Return the SHA-256 of a bundle's file without its card, in hexadecimal. New figures do not change it."""
    return graph_digest(bundle.model_bytes)


def quantised_path(path: Path) -> Path:
    """Return the path of a bundle's int8 form."""
    return path.with_name(f"{path.stem}{_ENDING}{path.suffix}")


def find_quantised(bundle: Bundle, elsewhere: Iterable[Path] = ()) -> Bundle | None:
    """Return the int8 form next to a bundle or `elsewhere`; None if there is none that was made from it.

    It gets the heads, temperatures and thresholds of the bundle, whose graph it has; its golden photos are its own.
    Raises `BundleError` if there is a file that cannot be trusted.
    """
    if is_quantised(bundle.card):
        return None
    places = [path for path in (quantised_path(bundle.path), *elsewhere) if path.is_file()]
    return next((form for path in places if (form := _read_form(path, bundle)) is not None), None)


def _read_form(path: Path, bundle: Bundle) -> Bundle | None:
    found = read_bundle(path)
    if not is_quantised(found.card) or read_quantisation(found.card).source_graph != graph_sha256(bundle):
        return None
    card = replace(
        with_quantisation(bundle.card, read_quantisation(found.card)),
        golden=found.card.golden,
        golden_tolerance=found.card.golden_tolerance,
    )
    return replace(found, card=card)
