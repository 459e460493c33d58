"""Making a version of a shop model from the checks of a store, in about a second, without decoding a photo."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from hangtag.adapting.adapt import Adapted, Adapter, write_adapted
from hangtag.adapting.examples import Examples
from hangtag.bundle.file import read_bundle
from hangtag.domain.errors import BundleError, ConflictError
from hangtag.learning.checks import Checks, read_checks
from hangtag.learning.figures import describe_figures, describe_forgetting, find_answers
from hangtag.store.derived import shift_outputs
from hangtag.store.shop_models import NewShopModel, ShopModels, find_in_use
from hangtag.store.shop_tables import ShopModelRow
from hangtag.store.store import Store
from hangtag.store.tables import ModelRow


@dataclass(frozen=True, slots=True)
class LearningRequest:
    """A request to make a version of a base, given its number. `is_automatic`: no person asked for it."""

    base: int
    name: str | None = None
    who: str | None = None
    is_automatic: bool = False


class Learner:
    """Makes versions of shop models. `find_bundle(id)` returns a base's file by id."""

    def __init__(self, store: Store, models: ShopModels, find_bundle: Callable[[str], Path]) -> None:
        self._store = store
        self._models = models
        self._find_bundle = find_bundle
        self._adapters: dict[str, Adapter] = {}

    def learn(self, request: LearningRequest) -> str:
        """Make a candidate from all checks of a base, and return its id.

        Raises `UsageError` if there is too little to learn from, and `BundleError` for a base that cannot be adapted.
        """
        adapter = self._find_adapter(request.base)
        checks = read_checks(self._store, request.base)
        if checks.learnt is None:
            raise ConflictError("there are no checks to learn from yet")
        with self._store.engine.connect() as connection:
            last = select(func.max(ShopModelRow.version)).where(ShopModelRow.base == request.base)
            version = (connection.execute(last).scalar_one() or 0) + 1
        card = adapter.bundle.card
        name = request.name or f"{card.name}, version {version} of the shop"
        adapted = adapter.adapt(checks.learnt, name, learnt_from=[batch["name"] for batch in checks.batches])
        draft = self._models.folder.draft()
        try:
            written = write_adapted(adapted, card, draft)
            size = draft.stat().st_size
            sha256 = self._models.folder.keep(draft)
        finally:
            draft.unlink(missing_ok=True)
        new = NewShopModel(
            base=request.base,
            sha256=sha256,
            size_bytes=size,
            card=written,
            created_by=request.who,
            automatic=request.is_automatic,
            decision=checks.decision,
            learnt_from=_describe_source(checks, adapted),
            figures=self._measure(request.base, adapter, adapted, checks.control),
            forgetting=describe_forgetting(adapted),
        )
        return self._models.add(new, name)

    def _find_adapter(self, base: int) -> Adapter:
        with self._store.engine.connect() as connection:
            row = connection.execute(
                select(ModelRow.id, ModelRow.sha256).where(ModelRow.number == base)
            ).one()
        if row.sha256 not in self._adapters:
            bundle = read_bundle(self._find_bundle(row.id))
            if bundle.sha256 != row.sha256:
                raise BundleError(f"the model {row.id!r} has changed since its batches were labelled")
            self._adapters = {row.sha256: Adapter(bundle)}
        return self._adapters[row.sha256]

    def _measure(
        self, base: int, adapter: Adapter, adapted: Adapted, control: Examples | None
    ) -> dict[str, Any]:
        card = adapter.bundle.card
        if control is None:
            return describe_figures(adapted, card, None, {})
        embedding = control.outputs[adapter.embedding]
        answers = {"base": find_answers(card, control.outputs)}
        answers["now"] = answers["base"]
        with self._store.engine.connect() as connection:
            used = find_in_use(connection, base)
            if used is not None:
                labeller = self._store.labeller(connection, used.model)
                shifts = self._store.shifts.read(connection, used.model, labeller.card.columns)
                outputs = shift_outputs(labeller.card.columns, control.outputs, embedding, shifts)
                answers["now"] = find_answers(labeller.card, outputs)
        outputs = shift_outputs(adapted.card.columns, control.outputs, embedding, adapted.shifts)
        answers["new"] = find_answers(adapted.card, outputs)
        return describe_figures(adapted, card, control, answers)


def _describe_source(checks: Checks, adapted: Adapted) -> dict[str, Any]:
    new = {column: list(found.new_classes) for column, found in adapted.columns.items() if found.new_classes}
    return {"checks": checks.count, "batches": checks.batches, "new_classes": new}
