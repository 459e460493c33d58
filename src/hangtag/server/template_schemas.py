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
    """What the parts of a template can be: labels and computed values to take, destinations, forms, languages."""

    labels: list[str]
    computed: list[str]
    destinations: list[str]
    formats: list[str]
    doubtful: list[str]
    languages: list[str]
    taxonomies: list[str]


class ExportTemplates(Schema):
    """The shop's templates, then hangtag's."""

    items: list[ExportTemplate]
    choices: TemplateChoices


class TemplateWithDocument(ExportTemplate):
    """A template, whole: `document` is what its file holds."""

    document: dict[str, Any]


class NewTemplate(Schema):
    """A template to keep."""

    name: Name
    document: dict[str, Any]


class ChangedTemplate(NewTemplate):
    """A template as it should be. `version` is the one that was seen."""

    version: int = Field(ge=1)


class CopiedDocument(Schema):
    """What the copy is called; without a name, as the original and a number."""

    name: Name | None = None


class MatchedColumn(Schema):
    """A column of an example: what it was recognised as (null: copied from the sheet), and some of its values."""

    name: str
    target: str | None
    examples: list[str]


class TemplateDraft(Schema):
    """A template that writes a table like the example; nothing is kept yet."""

    document: dict[str, Any]
    columns: list[MatchedColumn]


class TaxonomyRule(Schema):
    """A row of a mapping: the labels that it asks for, the category, and how sure it is."""

    labels: dict[str, str]
    id: str = ""
    path: str = ""
    confidence: Confidence = "exact"
    note: str = ""


class TaxonomySummary(Schema):
    """A mapping: how many rules it has, and how many of the model's paths get no category."""

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
    """The mappings of the shop, then hangtag's."""

    items: list[TaxonomySummary]


class MappedPath(Schema):
    """A path of the model, and what the mapping does with it: the category, by which rule (from 0), how sure."""

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
    """A mapping to keep. `categories` are all of the shop, those that nothing leads to, too."""

    name: Name
    rules: list[TaxonomyRule]
    categories: list[str] = Field(default_factory=list)


class ChangedTaxonomy(NewTaxonomy):
    """A mapping as it should be. `version` is the one that was seen."""

    version: int = Field(ge=1)


class TaxonomyDraft(Schema):
    """Rules and categories; nothing is kept yet."""

    rules: list[TaxonomyRule]
    categories: list[str]


class ShopCategories(Schema):
    """The categories of a shop, each as a path: `Women > Shoes > Boots`."""

    categories: Annotated[list[str], Field(min_length=1, max_length=50_000)]
