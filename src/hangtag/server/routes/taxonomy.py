"""The labels that products can have: those of a model, and the shop's own."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic_core import to_json

from hangtag.server.problems import problem_responses
from hangtag.server.routes.batches import Who
from hangtag.server.service import Service, ServiceDependency
from hangtag.server.shop_schemas import DisplayName, NewShopClass, TaxonomyView
from hangtag.server.uploads import JsonRoute
from hangtag.store.shop_classes import NewClass
from hangtag.store.vocabulary import Vocabulary

router = APIRouter(tags=["models"], route_class=JsonRoute)

ModelQuery = Annotated[
    str | None, Query(description="The id of the model. Defaults to the service's default model.")
]


@router.get("/taxonomy", responses=problem_responses(404, 422, 503))
def show_taxonomy(service: ServiceDependency, model: ModelQuery = None) -> TaxonomyView:
    """Return the labels that products can have and the category paths that exist."""
    return TaxonomyView(**_describe(service, model))


@router.get("/taxonomy/export", response_model=TaxonomyView, responses=problem_responses(404, 422, 503))
def export_taxonomy(service: ServiceDependency, model: ModelQuery = None) -> Response:
    """Download the taxonomy as JSON; its version counts the shop's changes."""
    described = _describe(service, model)
    name = f"taxonomy-{described['version']}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(to_json(described, indent=2), media_type="application/json", headers=headers)


@router.post("/taxonomy/classes", status_code=201, responses=problem_responses(422))
def add_class(new: NewShopClass, service: ServiceDependency, who: Who) -> TaxonomyView:
    """Create a class: `path` and `name` for a category, `attribute` and `name` for a value of an attribute.

    With `attribute` and `values` an attribute is created. A model knows a class once it has learned three products.
    """
    path = None if new.path is None else tuple(new.path)
    wanted = NewClass(new.name, path, new.attribute, tuple(new.values))
    service.batches.classes.add(wanted, _find_vocabulary(service, None), who)
    return TaxonomyView(**_describe(service, None))


@router.delete("/taxonomy/classes", responses=problem_responses(404, 409))
def remove_class(
    service: ServiceDependency,
    attribute: Annotated[str, Query(description="The column of the class.")],
    name: Annotated[str, Query(description="The class.")],
) -> TaxonomyView:
    """Remove a class that the shop created and no product has."""
    service.batches.classes.remove(attribute, name)
    return TaxonomyView(**_describe(service, None))


@router.put("/taxonomy/names", responses=problem_responses(422))
def set_display_name(name: DisplayName, service: ServiceDependency) -> TaxonomyView:
    """Set the name of a class or attribute in a language."""
    service.batches.classes.set_name(name.attribute, name.class_, name.language, name.name.strip())
    return TaxonomyView(**_describe(service, None))


def _describe(service: Service, model: str | None) -> dict[str, Any]:
    return service.batches.classes.describe(_find_vocabulary(service, model))


def _find_vocabulary(service: Service, model: str | None) -> Vocabulary:
    return Vocabulary.from_card(service.registry.card(model).card)
