"""The values of the API about export templates and mappings of categories."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from hangtag.server.schemas import Schema

Name = Annotated[str, Field(min_length=1, max_length=100)]
Confidence = Literal["exact", "broader", "judgement", "none"]


class ExportTemplate(Schema):
    """A template, and the columns that it writes; `*` stands for all columns of the sheet."""

    id: str
    name: str
    title: str
    destination: str
    format: Literal["csv", "tsv", "xml", "xlsx", "jsonl", "parquet"]
    language: str
    rows: Literal["product", "photo"]
    doubtful: Literal["empty", "mark", "refuse"]
    taxonomy: str
    columns: list[str]
    built_in: bool
    version: int
    updated: datetime | None
    updated_by: str | None


class TemplateChoices(Schema):
    """The possible values of a template's parts: labels and computed values, destinations, formats, languages."""

    labels: list[str]
    computed: list[str]
    destinations: list[str]
    formats: list[str]
    doubtful: list[str]
    languages: list[str]
    taxonomies: list[str]


class ExportTemplates(Schema):
    """The shop's templates, then the built-in ones."""

    items: list[ExportTemplate]
    choices: TemplateChoices


class TemplateWithDocument(ExportTemplate):
    """A whole template. `document` is the content of its file."""

    document: dict[str, Any]


class NewTemplate(Schema):
    """A template to save."""

    name: Name
    document: dict[str, Any]


class ChangedTemplate(NewTemplate):
    """A changed template. `version` is the one that the person saw."""

    version: int = Field(ge=1)


class CopiedDocument(Schema):
    """The name of the copy; by default the original's with a number."""

    name: Name | None = None


class MatchedColumn(Schema):
    """A column of an example: what it was recognised as (null: copied from the sheet), and some of its values."""

    name: str
    target: str | None
    examples: list[str]


class TemplateDraft(Schema):
    """A template that writes a table like the example. It is not saved yet."""

    document: dict[str, Any]
    columns: list[MatchedColumn]


class TaxonomyRule(Schema):
    """A row of a mapping: the labels that it requires, the category, and how certain it is."""

    labels: dict[str, str]
    id: str = ""
    path: str = ""
    confidence: Confidence = "exact"
    note: str = ""


class TaxonomySummary(Schema):
    """A mapping: the number of its rules, and of the model's paths without a category."""

    id: str
    name: str
    title: str
    version: int
    built_in: bool
    rules: int
    categories: int
    unmapped: int
    updated: datetime | None
    updated_by: str | None


class TaxonomyList(Schema):
    """The shop's mappings, then the built-in ones."""

    items: list[TaxonomySummary]


class MappedPath(Schema):
    """A path of the model and its category in the mapping: by which rule (from 0), and how certain."""

    path: list[str]
    outcome: Literal["unmapped", "inherited", "exact", "broader", "judgement", "none"]
    rule: int | None


class TaxonomyMapping(Schema):
    """A mapping from the model's categories to those of a channel or shop. `edition` is that of a channel's file."""

    id: str
    name: str
    title: str
    edition: str
    licence: str
    checked: str
    version: int
    built_in: bool
    rules: list[TaxonomyRule]
    categories: list[str]
    paths: list[MappedPath]
    unknown: list[str]


class NewTaxonomy(Schema):
    """A mapping to save. `categories` are all of the shop's, including those that no rule leads to."""

    name: Name
    rules: list[TaxonomyRule]
    categories: list[str] = Field(default_factory=list)


class ChangedTaxonomy(NewTaxonomy):
    """A changed mapping. `version` is the one that the person saw."""

    version: int = Field(ge=1)


class TaxonomyDraft(Schema):
    """Draft rules and categories. They are not saved yet."""

    rules: list[TaxonomyRule]
    categories: list[str]


class ShopCategories(Schema):
    """The categories of a shop, each as a path: `Women > Shoes > Boots`."""

    categories: Annotated[list[str], Field(min_length=1, max_length=50_000)]
