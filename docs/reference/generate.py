"""A hook of mkdocs: writes the parts of the site that are generated from code and files.

A page includes a part with a comment, such as `<!-- generated: recipe -->`.
"""

import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from hangtag.training.recipe import Recipe

ROOT: Final = Path(__file__).resolve().parents[2]
MARK: Final = re.compile(r"^<!-- generated: (\w+) -->$", re.MULTILINE)


def on_page_markdown(markdown: str, **_: object) -> str:
    """Insert the generated parts at their comments. mkdocs calls this for every page."""
    return MARK.sub(lambda match: PARTS[match[1]](), markdown)


def render_recipe() -> str:
    """Return a section for each table of a recipe, with a row for each of its fields."""
    return "\n\n".join(_render_section(name, model) for name, model in _iter_sections("", Recipe))


def render_shipped_recipes() -> str:
    """Return the recipes that come with hangtag, each in a block that opens on a click."""
    return "\n\n".join(
        f'??? example "{path.stem}"\n\n    ```toml\n{_indent(path.read_text(encoding="utf-8"))}\n    ```'
        for path in sorted((ROOT / "recipes").glob("*.toml"))
    )


def render_decisions() -> str:
    """Return a list of the decision records, by title."""
    paths = sorted(path for path in (ROOT / "docs" / "decisions").glob("0*.md"))
    return "\n".join(f"- [{_title(path)}]({path.name})" for path in paths)


PARTS: Final = {
    "recipe": render_recipe,
    "recipes": render_shipped_recipes,
    "decisions": render_decisions,
}


def _iter_sections(name: str, model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    yield name, model
    for key, field in model.model_fields.items():
        inner = _section_of(field.annotation)
        if inner is not None:
            yield from _iter_sections(f"{name}.{key}" if name else key, inner)


def _render_section(name: str, model: type[BaseModel]) -> str:
    title = f"## `[{name}]`" if name else "## Top level"
    rows = [
        f"| `{key}` | {_describe_type(field.annotation)} | {_describe_default(field)} | {_describe_bounds(field)} |"
        for key, field in model.model_fields.items()
        if _section_of(field.annotation) is None
    ]
    table = ["| field | type | default | bounds |", "|---|---|---|---|", *rows]
    return "\n\n".join([title, (model.__doc__ or "").replace("\n    ", "\n"), "\n".join(table)])


def _section_of(annotation: object) -> type[BaseModel] | None:
    for part in (annotation, *get_args(annotation)):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
    return None


def _describe_type(annotation: object) -> str:
    if get_origin(annotation) is Literal:
        return " or ".join(f'`"{value}"`' for value in get_args(annotation))
    if get_origin(annotation) is types.UnionType:
        parts = [part for part in get_args(annotation) if part is not types.NoneType]
        return " or ".join(map(_describe_type, parts))
    if get_origin(annotation) is tuple:
        return "list of text"
    names = {"bool": "`true` or `false`", "int": "whole number", "float": "number"}
    return names.get(getattr(annotation, "__name__", ""), "text")


def _describe_default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default is PydanticUndefined or field.default in (None, ()):
        return "none"
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"


def _describe_bounds(field: FieldInfo) -> str:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    found = [
        f"{sign} {getattr(limit, name)}"
        for limit in field.metadata
        for name, sign in signs.items()
        if getattr(limit, name, None) is not None
    ]
    return ", ".join(found)


def _title(path: Path) -> str:
    return path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


def _indent(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
