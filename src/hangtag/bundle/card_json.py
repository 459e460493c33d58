"""The card as JSON text: strict in both directions, so that nothing in a card is guessed."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, TypeVar

from hangtag.bundle.card import CARD_FORMAT, Card, GateCard, GoldenCheck, HeadCard
from hangtag.domain.errors import BundleError
from hangtag.domain.taxonomy import Taxonomy
from hangtag.imaging.preprocess import Preprocessing

_T = TypeVar("_T")
_TEXTS = ("name", "version", "description", "licence", "created", "architecture")
_OBJECTS = ("recipe", "taxonomy", "preprocessing", "data", "metrics")
_ADDED = frozenset({"target_accuracy", "gate", "path_weight"})
"""The fields that cards of format 1 do not have."""
_LISTS = ("heads", "history", "golden", "precisions")


def render_card(card: Card) -> str:
    """Return the card as JSON text.

    Raises `BundleError` when a recipe, figure or record holds something that JSON does not know, such as NaN.
    """
    try:
        return json.dumps(card_values(card), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise BundleError(f"the card cannot be written as JSON: {error}", where=card.name) from error


def card_values(card: Card) -> dict[str, Any]:
    """Return the card as JSON values, in the order of the card's fields, the format first."""
    values: dict[str, Any] = {"format": card.format}
    values |= {field.name: getattr(card, field.name) for field in fields(card) if field.name != "format"}
    values["heads"] = [_head_values(head) for head in card.heads]
    values["taxonomy"] = _taxonomy_values(card.taxonomy)
    values["preprocessing"] = card.preprocessing.to_json()
    values["history"] = list(card.history)
    values["precisions"] = list(card.precisions)
    values["golden"] = [_golden_values(check) for check in card.golden]
    values["gate"] = None if card.gate is None else asdict(card.gate)
    return values


def parse_card(text: str) -> Card:
    """Build a card from `render_card`'s text.

    Raises `BundleError` when the text is not JSON, its format is newer, a field is missing, unknown or of a
    wrong type, or the parts contradict each other.
    """
    try:
        values = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"the card is not JSON ({error})") from None
    if not isinstance(values, dict):
        raise BundleError("the card is not a JSON object")
    added = _ADDED if _read_format(values.get("format")) == 1 else frozenset[str]()
    _check_fields("card", values, Card, added)
    for names, kind in ((_TEXTS, str), (_OBJECTS, dict), (_LISTS, list)):
        for name in names:
            _check_type(f"the card's {name}", values[name], kind)
    return Card(
        **{name: values[name] for name in (*_TEXTS, "recipe", "data", "metrics")},
        heads=tuple(_parse_head(head, added) for head in values["heads"]),
        taxonomy=_parse_taxonomy(values["taxonomy"]),
        preprocessing=_parse_preprocessing(values["preprocessing"]),
        history=tuple(
            _check_type("an entry of the card's history", entry, dict) for entry in values["history"]
        ),
        golden=tuple(_parse_golden(check) for check in values["golden"]),
        golden_tolerance=_number("the card's golden_tolerance", values["golden_tolerance"]),
        precisions=_texts("the card's precisions", values["precisions"]),
        target_accuracy=_number_or_none("the card's target_accuracy", values.get("target_accuracy")),
        gate=None if values.get("gate") is None else _parse_gate(values["gate"]),
    )


def _parse_head(values: object, added: frozenset[str]) -> HeadCard:
    head = _check_type("a head", values, dict)
    _check_fields("head", head, HeadCard, added)
    return HeadCard(
        column=_check_type("a head's column", head["column"], str),
        classes=_texts("a head's classes", head["classes"]),
        temperature=_number("a head's temperature", head["temperature"]),
        threshold=_number_or_none("a head's threshold", head["threshold"]),
        path_weight=_number_or_none("a head's path_weight", head.get("path_weight")),
    )


def _parse_gate(values: object) -> GateCard:
    gate = _check_type("the gate", values, dict)
    _check_fields("gate", gate, GateCard)
    return GateCard(
        output=_check_type("the gate's output", gate["output"], str),
        threshold=_number("the gate's threshold", gate["threshold"]),
        method=_check_type("the gate's method", gate["method"], str),
    )


def _parse_taxonomy(values: Mapping[str, Any]) -> Taxonomy:
    _check_fields("taxonomy", values, Taxonomy)
    levels = _texts("the taxonomy's levels", values["levels"])
    paths = _check_type("the taxonomy's paths", values["paths"], list)
    try:
        return Taxonomy(levels, tuple(_texts("a taxonomy path", path) for path in paths))
    except ValueError as error:
        raise BundleError(f"the card's taxonomy is broken: {error}") from None


def _parse_preprocessing(values: Mapping[str, Any]) -> Preprocessing:
    for name in ("width", "height", "detail_width", "detail_height"):
        if name in values and type(values[name]) is not int:
            raise BundleError(f"the preprocessing's {name} is not a whole number")
    try:
        return Preprocessing.from_json(values)
    except ValueError as error:
        raise BundleError(f"the card's preprocessing is broken: {error}") from None


def _parse_golden(values: object) -> GoldenCheck:
    check = _check_type("a golden check", values, dict)
    _check_fields("golden check", check, GoldenCheck)
    logits = _check_type("a golden answer", check["logits"], dict)
    rows = {
        column: tuple(_number("a golden logit", value) for value in _check_type("a golden answer", row, list))
        for column, row in logits.items()
    }
    return GoldenCheck(_check_type("a golden photo", check["photo_png_base64"], str), rows)


def _read_format(found: object) -> int:
    if type(found) is not int or found < 1:
        raise BundleError("the card does not say its format")
    if found > CARD_FORMAT:
        raise BundleError(
            f"the card has format {found}, and this version of hangtag reads up to format {CARD_FORMAT}",
            fix="Install a newer hangtag.",
        )
    return found


def _check_fields(
    what: str, values: Mapping[str, Any], kind: type, added: frozenset[str] = frozenset()
) -> None:
    """Compare an object's fields with those of its type, of which it does not have the `added` ones."""
    names = {field.name for field in fields(kind)} - added
    missing, unknown = sorted(names - set(values)), sorted(set(values) - names)
    if missing:
        raise BundleError(f"the {what} lacks {', '.join(missing)}")
    if unknown:
        raise BundleError(f"the {what} has unknown fields: {', '.join(unknown)}")


def _check_type(what: str, value: object, kind: type[_T]) -> _T:
    if not isinstance(value, kind):
        raise BundleError(f"{what} should be a {kind.__name__}, not a {type(value).__name__}")
    return value


def _number(what: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BundleError(f"{what} should be a number, not a {type(value).__name__}")
    try:
        return float(value)
    except OverflowError:
        raise BundleError(f"{what} is too large a number") from None


def _number_or_none(what: str, value: object) -> float | None:
    return None if value is None else _number(what, value)


def _texts(what: str, values: object) -> tuple[str, ...]:
    return tuple(_check_type(what, value, str) for value in _check_type(what, values, list))


def _head_values(head: HeadCard) -> dict[str, Any]:
    return {
        "column": head.column,
        "classes": list(head.classes),
        "temperature": head.temperature,
        "threshold": head.threshold,
        "path_weight": head.path_weight,
    }


def _taxonomy_values(taxonomy: Taxonomy) -> dict[str, Any]:
    return {"levels": list(taxonomy.levels), "paths": [list(path) for path in taxonomy.paths]}


def _golden_values(check: GoldenCheck) -> dict[str, Any]:
    return {
        "photo_png_base64": check.photo_png_base64,
        "logits": {column: list(row) for column, row in check.logits.items()},
    }


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")
