"""The models, their cards and their taxonomies."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query

from hangtag.bundle.card import Card
from hangtag.server.models import RegisteredModel
from hangtag.server.problems import NotFoundError, problem_responses
from hangtag.server.schemas import (
    Confusion,
    Figures,
    Head,
    HeadFigures,
    InputSize,
    ModelDetail,
    ModelList,
    ModelSummary,
    OodDetector,
)
from hangtag.server.service import ServiceDependency

router = APIRouter(tags=["models"])
_SPLITS: Final = ("test", "validation", "train")
"""The splits whose figures are shown, in order of preference."""


@router.get("/models")
async def list_models(service: ServiceDependency) -> ModelList:
    """List the available models, the default one first."""
    default = service.registry.default_id
    return ModelList(models=[_summarise(card, default) for card in service.registry.cards()])


@router.get("/models/{model_id}", responses=problem_responses(404, 503))
async def show_model(model_id: str, service: ServiceDependency) -> ModelDetail:
    """Return a model with its whole card."""
    registered = service.registry.card(model_id)
    card, loaded = registered.card, service.registry.find_loaded(model_id)
    return ModelDetail(
        **_summarise(registered, service.registry.default_id).model_dump(),
        sha256=registered.sha256,
        precision=None if loaded is None else loaded.engine.precision,
        heads=[
            Head(
                column=head.column,
                classes=list(head.classes),
                temperature=head.temperature,
                threshold=head.threshold,
            )
            for head in card.heads
        ],
        target_accuracy=card.target_accuracy,
        ood_detector=_describe_detector(card),
        preprocessing=card.preprocessing.to_json(),
        recipe=card.recipe,
        data=card.data,
        metrics={split: _without_confusion(figures) for split, figures in card.metrics.items()},
        history=list(card.history),
    )


@router.get("/models/{model_id}/confusion", responses=problem_responses(404, 422, 503))
async def show_confusion(
    model_id: str,
    service: ServiceDependency,
    column: Annotated[str, Query(description="The head's column.")],
    split: Annotated[str, Query(description="The split the model was evaluated on.")] = "test",
) -> Confusion:
    """Return the confusion matrix of a head."""
    card = service.registry.card(model_id).card
    confusion = _find(card.metrics, split, "heads", column, "confusion")
    if not isinstance(confusion, dict):
        raise NotFoundError(
            f"the model's card has no confusion matrix of {column!r} on the {split!r} split",
            fix="Run `hangtag evaluate --write-card` to store one.",
        )
    return Confusion(split=split, column=column, labels=confusion["labels"], counts=confusion["counts"])


def _summarise(registered: RegisteredModel, default_id: str) -> ModelSummary:
    card = registered.card
    return ModelSummary(
        id=registered.id,
        name=card.name,
        version=card.version,
        description=card.description,
        architecture=card.architecture,
        licence=card.licence,
        created=card.created,
        size_bytes=registered.size_bytes,
        is_default=registered.id == default_id,
        columns=list(card.columns),
        input=InputSize(width=card.preprocessing.width, height=card.preprocessing.height),
        figures=_figures(card),
    )


def _describe_detector(card: Card) -> OodDetector | None:
    detector = card.ood_detector
    if detector is None:
        return None
    return OodDetector(threshold=detector.threshold, method=detector.method)


def _figures(card: Card) -> Figures | None:
    """Return the figures of the preferred split that the model was evaluated on."""
    split = next((split for split in _SPLITS if isinstance(card.metrics.get(split), dict)), None)
    if split is None:
        return None
    support = card.figure(split, "photos", "labelled")
    return Figures(
        split=split,
        support=None if support is None else int(support),
        heads={
            column: HeadFigures(
                top1_accuracy=card.figure(split, "heads", column, "top1_accuracy"),
                macro_f1=card.figure(split, "heads", column, "macro_f1"),
            )
            for column in card.columns
        },
        mean_top1_accuracy=card.figure(split, "mean_top1_accuracy"),
        all_right=card.figure(split, "all_right", "rate"),
    )


def _without_confusion(figures: Any) -> Any:  # noqa: ANN401 - a card's figures are free JSON
    if not isinstance(figures, dict) or not isinstance(figures.get("heads"), dict):
        return figures
    heads = {
        column: {name: value for name, value in head.items() if name != "confusion"}
        if isinstance(head, dict)
        else head
        for column, head in figures["heads"].items()
    }
    return figures | {"heads": heads}


def _find(values: Any, *keys: str) -> object:  # noqa: ANN401 - as above
    found: object = values
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found
