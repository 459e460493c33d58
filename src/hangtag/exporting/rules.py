"""The documented rules of destinations: required fields, formats and lengths."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from hangtag.exporting.filling import FilledRow, IssueKind
from hangtag.exporting.template import Template

_Problem = tuple[IssueKind, str, str]
"""The severity, the reason and the fix."""

_Check = Callable[[str], _Problem | None]

_GTIN_LENGTHS: Final = (8, 12, 13, 14)
_GOOGLE_PRICE: Final = re.compile(r"\d+(\.\d+)? [A-Z]{3}")
_PLAIN_PRICE: Final = re.compile(r"\d+(\.\d+)?")
_HANDLE: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_STARTS_A_FORMULA: Final = tuple("=+-@\t\r")
_NEGATIVE: Final = re.compile(r"-\d+(\.\d+)?")
_MOST_COLOURS: Final = 3
_COLOUR_LENGTH: Final = 40
_APPAREL: Final = "Apparel & Accessories"
_SIZED: Final = ("Apparel & Accessories > Clothing", "Apparel & Accessories > Shoes")
_NOT_SIZED: Final = "Apparel & Accessories > Clothing Accessories"


def _error(reason: str, fix: str) -> _Problem:
    return IssueKind.ERROR, reason, fix


def _at_most(length: int) -> _Check:
    def check(value: str) -> _Problem | None:
        if len(value) <= length:
            return None
        return _error(f"{len(value):,} characters, {length:,} are allowed", "Shorten it.")

    return check


def _one_of(*allowed: str) -> _Check:
    def check(value: str) -> _Problem | None:
        return None if value in allowed else _error("this is not a valid value", f"Use {', '.join(allowed)}.")

    return check


def _matches(pattern: re.Pattern[str], example: str) -> _Check:
    def check(value: str) -> _Problem | None:
        return (
            None
            if pattern.fullmatch(value)
            else _error("the value has the wrong format", f"Write it as {example}.")
        )

    return check


def _address(value: str) -> _Problem | None:
    if re.match(r"https?://\S+$", value):
        return None
    return _error("this is not a URL", "Write a complete URL that starts with https://.")


def _gtin(value: str) -> _Problem | None:
    digits = value.replace(" ", "").replace("-", "")
    if not digits.isascii() or not digits.isdigit() or len(digits) not in _GTIN_LENGTHS:
        return _error("a GTIN has 8, 12, 13 or 14 digits", "Take it from the packaging, or leave it empty.")
    weights = [3 if place % 2 == 0 else 1 for place in range(len(digits) - 1)]
    total = sum(int(digit) * weight for digit, weight in zip(reversed(digits[:-1]), weights, strict=True))
    if (10 - total % 10) % 10 != int(digits[-1]):
        return _error("the check digit of the GTIN is wrong", "Compare it with the packaging.")
    return None


def _plain_id(value: str) -> _Problem | None:
    if value.startswith(_STARTS_A_FORMULA) and not _NEGATIVE.fullmatch(value):
        return _error("a spreadsheet would interpret this id as a formula", "Give the product another id.")
    return None


def _google_colour(value: str) -> _Problem | None:
    colours = [colour.strip() for colour in value.split("/")]
    if len(colours) > _MOST_COLOURS:
        return _error("more than three colours", "Keep the three that cover most of the product.")
    if any(not colour or len(colour) > _COLOUR_LENGTH for colour in colours):
        return _error("a colour is empty or longer than 40 characters", "Write Red/Green/Black.")
    if "#" in value or value.isdigit():
        return _error("this is a code, not a colour", "Write the colour as a word.")
    return None


_GOOGLE_FIELDS: Final[Mapping[str, tuple[_Check, ...]]] = {
    "id": (_at_most(50), _plain_id),
    "title": (_at_most(150),),
    "description": (_at_most(5000),),
    "link": (_at_most(2000), _address),
    "image_link": (_at_most(2000), _address),
    "availability": (_one_of("in_stock", "out_of_stock", "preorder", "backorder"),),
    "price": (_matches(_GOOGLE_PRICE, "15.00 EUR"),),
    "sale_price": (_matches(_GOOGLE_PRICE, "15.00 EUR"),),
    "brand": (_at_most(70),),
    "gtin": (_gtin,),
    "mpn": (_at_most(70),),
    "condition": (_one_of("new", "refurbished", "used"),),
    "gender": (_one_of("male", "female", "unisex"),),
    "age_group": (_one_of("newborn", "infant", "toddler", "kids", "adult"),),
    "color": (_at_most(100), _google_colour),
    "size": (_at_most(100),),
    "item_group_id": (_at_most(50),),
    "product_type": (_at_most(750),),
}
_FIELDS: Final[Mapping[str, Mapping[str, tuple[_Check, ...]]]] = {
    "none": {},
    "google": _GOOGLE_FIELDS,
    "google-supplemental": _GOOGLE_FIELDS,
    "shopify": {
        "Title": (_at_most(255),),
        "URL handle": (_at_most(255), _matches(_HANDLE, "navy-shirt-1")),
        "Status": (_one_of("Active", "Draft", "Archived", "active", "draft", "archived"),),
        "SKU": (_plain_id,),
        "Barcode": (_gtin,),
        "Price": (_matches(_PLAIN_PRICE, "15.00"),),
        "Product image URL": (_address,),
        "Published on online store": (_one_of("TRUE", "FALSE", "true", "false"),),
    },
    "woocommerce": {
        "Type": (_one_of("simple", "variable", "grouped", "external", "variation"),),
        "SKU": (_at_most(100), _plain_id),
        "GTIN, UPC, EAN, or ISBN": (_gtin,),
        "Regular price": (_matches(_PLAIN_PRICE, "15.00"),),
        "Published": (_one_of("1", "0", "-1"),),
    },
    "magento": {
        "sku": (_at_most(64), _plain_id),
        "name": (_at_most(255),),
        "price": (_matches(_PLAIN_PRICE, "15.00"),),
        "url_key": (_matches(_HANDLE, "navy-shirt-1"),),
        "product_online": (_one_of("1", "2"),),
    },
}
_UNIQUE: Final[Mapping[str, tuple[str, ...]]] = {
    "google": ("id",),
    "google-supplemental": ("id",),
    "shopify": ("URL handle",),
    "woocommerce": ("SKU",),
    "magento": ("sku", "url_key"),
}


class Rules:
    """Checks the rows of one export against the destination's documented rules. Remembers ids, which must be unique."""

    def __init__(self, template: Template, categories: Mapping[str, str]) -> None:
        self._fields = _FIELDS[template.destination]
        self._seen: dict[str, dict[str, tuple[str, str]]] = {
            name: {} for name in _UNIQUE.get(template.destination, ())
        }
        self._is_google = template.destination == "google"
        self._countries = template.countries
        self._categories = categories
        self._passed: dict[str, set[str]] = {name: set() for name in self._fields}

    def check(self, row: FilledRow) -> None:
        """Add the problems of a row to its issues."""
        for name, checks in self._fields.items():
            value = row.values.get(name, "")
            if not value or value in self._passed[name]:
                continue
            problems = [problem for check in checks if (problem := check(value))]
            for kind, reason, fix in problems:
                row.add(kind, name, reason, fix)
            if not problems and name not in self._seen and len(self._passed[name]) < 10_000:  # noqa: PLR2004 - memory
                self._passed[name].add(value)
        for name, seen in self._seen.items():
            self._check_unique(row, name, seen)
        if self._is_google:
            for name, reason, fix in self._iter_google(row.values):
                row.add(IssueKind.ERROR if self._countries else IssueKind.WARNING, name, reason, fix)

    def _check_unique(self, row: FilledRow, name: str, seen: dict[str, tuple[str, str]]) -> None:
        value = row.values.get(name, "")
        if not value:
            return
        product = row.product
        own = product.id or str(product.line)
        first, shown = seen.setdefault(value, (own, product.title or f"line {product.line:,}"))
        if first != own:
            fix = "Give each product its own, or name the column that groups rows with --key."
            row.add(IssueKind.ERROR, name, f"{shown} has the same", fix)

    def _iter_google(self, values: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
        """Yield missing apparel fields, which Google requires in Brazil, France, Germany, Japan, the UK and the US."""
        path = self._categories.get(values.get("google_product_category", ""), "")
        if not path.startswith(_APPAREL):
            return
        where = ", ".join(self._countries) or "some countries"
        for name, fix in (
            ("color", "Correct the label baseColour, or fill the column color of your sheet."),
            ("gender", "Correct the label gender."),
            ("age_group", "Correct the label gender, or fill the column age group of your sheet."),
        ):
            if not values.get(name):
                yield name, f"it is required for apparel in {where}", fix
        is_sized = path.startswith(_SIZED) and not path.startswith(_NOT_SIZED)
        if is_sized and not values.get("size"):
            yield (
                "size",
                f"it is required for clothing and shoes in {where}",
                "Fill the column size of your sheet.",
            )
