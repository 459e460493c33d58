"""Choosing a model's engine: by the requested precision, the card, and the measurements of `hangtag bench`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hangtag.bundle.card import QUANTISED_PRECISION, REFERENCE_PRECISION
from hangtag.bundle.file import Bundle
from hangtag.bundle.quantised import find_quantised, graph_sha256, is_quantised, read_quantisation
from hangtag.domain.errors import BundleError
from hangtag.inference.engine import BATCH_SIZE, Engine, Precision
from hangtag.inference.golden import check_golden
from hangtag.inference.measured import (
    EngineSetting,
    Host,
    Measured,
    Timing,
    choose_setting,
    forms_file,
    measurements_file,
    recall,
    recall_forms,
)
from hangtag.inference.runtime import count_usable_cpus, preferred_precision


def select_engine(bundle: Bundle, precision: Precision, threads: int | None, *, verify: bool) -> Engine:
    """Return the engine for a bundle. It has passed the golden check unless `verify` is off.

    `auto` is the fastest setting that `hangtag bench` measured here, among the precisions that the cards allow. Without
    a measurement it is the processor's preferred precision, if the card allows it. If either fails, it is float32.
    Raises `UsageError` for a precision that the bundle does not have, and `BundleError` as `Engine` and `check_golden`.
    """
    if precision == QUANTISED_PRECISION:
        return _build(find_form(bundle) or bundle, _usual(precision, threads), verify=verify)
    if precision != "auto":
        return _build(bundle, _usual(precision, threads), verify=verify)
    return (
        _find_measured(bundle, threads, verify=verify)
        or _find_preferred(bundle, threads, verify=verify)
        or _build(bundle, _usual(bundle.card.precisions[0], threads), verify=verify)
    )


def find_form(bundle: Bundle) -> Bundle | None:
    """Return a bundle's int8 form, found next to it or where `hangtag quantise` wrote it; None if there is none.

    Raises `BundleError` for one that cannot be trusted.
    """
    path = forms_file()
    elsewhere = recall_forms(path, graph_sha256(bundle)) if path is not None and path.is_file() else []
    return find_quantised(bundle, elsewhere)


def build_engine(bundle: Bundle, setting: EngineSetting) -> Engine:
    """Return an engine with a setting. Raises the same errors as `Engine`."""
    precision: Precision = setting.precision  # type: ignore[assignment]  # `Engine` looks at it
    return Engine(bundle, precision=precision, threads=setting.threads, batch_size=setting.batch_size)


def _usual(precision: str, threads: int | None) -> EngineSetting:
    return EngineSetting(precision, count_usable_cpus() if threads is None else threads, BATCH_SIZE)


@dataclass(frozen=True, slots=True)
class Forms:
    """A model's files: its bundle, and its int8 form if there is one."""

    bundle: Bundle
    quantised: Bundle | None

    @classmethod
    def of(cls, bundle: Bundle) -> "Forms":
        """Look for a bundle's int8 form. Raises `BundleError` for one that cannot be trusted."""
        return cls(bundle, find_form(bundle))

    @property
    def offered(self) -> dict[str, Bundle]:
        """The file that runs the model in each precision available on this machine, by name."""
        if is_quantised(self.bundle.card):
            return {QUANTISED_PRECISION: self.bundle}
        found = {REFERENCE_PRECISION: self.bundle, preferred_precision(): self.bundle}
        return found if self.quantised is None else found | {QUANTISED_PRECISION: self.quantised}

    @property
    def allowed(self) -> tuple[str, ...]:
        """The precisions that the cards allow `auto` to choose."""
        precisions = tuple(self.bundle.card.precisions)
        if self.quantised is None or not read_quantisation(self.quantised.card).allowed:
            return precisions
        return (*precisions, QUANTISED_PRECISION)

    def record(self, timings: Sequence[Timing]) -> Measured:
        """Return the record of this model's timings on this machine."""
        int8 = "" if self.quantised is None else self.quantised.sha256
        return Measured(Host.here(), self.bundle.sha256, int8, timings)


def _find_measured(bundle: Bundle, threads: int | None, *, verify: bool) -> Engine | None:
    """Return the engine that was measured to be the fastest here; None if there is none that can be trusted."""
    path = measurements_file()
    if path is None or not path.is_file():
        return None
    try:
        forms = Forms.of(bundle)
        measured = recall(path, forms.record(()).key)
        setting = None if measured is None else choose_setting(measured.timings, forms.allowed)
        if setting is None:
            return None
        setting = replace(setting, threads=setting.threads if threads is None else threads)
        return _build(forms.offered[setting.precision], setting, verify=verify)
    except (BundleError, KeyError):
        return None


def _find_preferred(bundle: Bundle, threads: int | None, *, verify: bool) -> Engine | None:
    """Return the engine in the processor's preferred precision; None if card, engine or golden check rule it out."""
    if set(bundle.card.precisions) == {REFERENCE_PRECISION}:
        return None
    try:
        engine = Engine(bundle, precision="auto", threads=threads)
        if engine.precision not in bundle.card.precisions:
            return None
        if verify:
            check_golden(engine, bundle.path)
    except BundleError:
        return None
    return engine


def _build(bundle: Bundle, setting: EngineSetting, *, verify: bool) -> Engine:
    engine = build_engine(bundle, setting)
    if verify:
        check_golden(engine, bundle.path)
    return engine
