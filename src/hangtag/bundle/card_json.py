"""The card as JSON text, read and written strictly."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, Final, TypeVar

from hangtag.bundle.card import (
    CARD_FORMAT,
    Card,
    EmbeddingCard,
    GoldenCheck,
    HeadCard,
    OodDetectorCard,
    SourceCard,
)
from hangtag.domain.errors import BundleError
from hangtag.domain.taxonomy import Taxonomy
from hangtag.imaging.preprocess import Preprocessing

_T = TypeVar("_T")
_TEXTS = ("name", "version", "description", "licence", "created", "architecture")
_OBJECTS = ("recipe", "taxonomy", "preprocessing", "data", "metrics")
_LISTS = ("heads", "history", "golden", "precisions", "sources")

_ADDED: Final[Mapping[int, frozenset[str]]] = {
    2: frozenset({"target_accuracy", "gate", "path_weight"}),
    3: frozenset({"embedding", "sources"}),
}
"""The fields that were added in each format."""

_RENAMED: Final[Mapping[int, Mapping[str, str]]] = {3: {"gate": "ood_detector"}}
"""The fields that were renamed in each format: former name to new name."""


def render_card(card: Card) -> str:
    """Return the card as JSON text.

    Raises `BundleError` if a recipe, figure or record holds a value that JSON cannot express, such as NaN.
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
    values["ood_detector"] = None if card.ood_detector is None else asdict(card.ood_detector)
    values["embedding"] = None if card.embedding is None else asdict(card.embedding)
    values["sources"] = [asdict(source) for source in card.sources]
    return values


def parse_card(text: str) -> Card:
    """Build a card from the result of `render_card`.

    Raises `BundleError` if the text is not JSON, its format is newer, a field is missing, unknown or of a wrong type,
    or the parts contradict each other.
    """
    try:
        values = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"the card is not JSON ({error})") from None
    if not isinstance(values, dict):
        raise BundleError("the card is not a JSON object")
    values, added = _to_newest(values)
    _check_fields("card", values, Card, added)
    values = {"sources": [], **values}
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
        ood_detector=_parse_ood_detector(values.get("ood_detector")),
        embedding=_parse_embedding(values.get("embedding")),
        sources=tuple(_parse_source(source) for source in values["sources"]),
    )


def _to_newest(values: dict[str, Any]) -> tuple[dict[str, Any], frozenset[str]]:
    """Return a card's values with the newest format's names, and the fields that its own format lacks.

    Raises `BundleError` for a name that its format does not have.
    """
    found = _read_format(values.get("format"))
    later = range(found + 1, CARD_FORMAT + 1)
    lacking = {name for number in later for name in _ADDED.get(number, ())}
    renamed = {old: new for number in later for old, new in _RENAMED.get(number, {}).items()}
    unknown = sorted(set(values) & {*lacking, *renamed.values()})
    if unknown:
        raise BundleError(f"the card has unknown fields: {', '.join(unknown)}")
    return (
        {renamed.get(name, name): value for name, value in values.items()},
        frozenset(renamed.get(name, name) for name in lacking),
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


def _parse_ood_detector(values: object) -> OodDetectorCard | None:
    if values is None:
        return None
    detector = _check_type("the OOD detector", values, dict)
    _check_fields("OOD detector", detector, OodDetectorCard)
    return OodDetectorCard(
        output=_check_type("the OOD detector's output", detector["output"], str),
        threshold=_number("the OOD detector's threshold", detector["threshold"]),
        method=_check_type("the OOD detector's method", detector["method"], str),
    )


def _parse_embedding(values: object) -> EmbeddingCard | None:
    if values is None:
        return None
    embedding = _check_type("the embedding", values, dict)
    _check_fields("embedding", embedding, EmbeddingCard)
    return EmbeddingCard(
        output=_check_type("the embedding's output", embedding["output"], str),
        size=_whole_number("the embedding's size", embedding["size"]),
    )


def _parse_source(values: object) -> SourceCard:
    source = _check_type("a source", values, dict)
    _check_fields("source", source, SourceCard)
    texts = {
        name: _check_type(f"a source's {name}", source[name], str)
        for name in ("name", "licence", "attribution")
    }
    return SourceCard(photos=_whole_number("a source's photos", source["photos"]), **texts)


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
    """Compare an object's fields with those of its type, except the `added` ones, which it does not have."""
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


def _whole_number(what: str, value: object) -> int:
    if type(value) is not int:
        raise BundleError(f"{what} should be a whole number, not a {type(value).__name__}")
    return value


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
