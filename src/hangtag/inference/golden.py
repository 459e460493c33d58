"""The golden check: on load, a bundle must reproduce the logits stored for its golden photos."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from hangtag.domain.errors import BundleError, PhotoError
from hangtag.imaging.preprocess import Pixels, prepare_photo

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from hangtag.bundle.card import Card, GoldenCheck
    from hangtag.inference.engine import Engine

REDUCED_TOLERANCE: Final = 0.1
"""How much bf16 may change a logit, relative to the largest one of its head: it has 8 significant bits, and the
rounding errors of some fifty layers add up. A wrong class order or preprocessing changes logits far more.
"""


def check_golden(engine: Engine, where: object = None) -> None:
    """Run the card's golden photos through the whole pipeline, from file bytes to logits.

    Raises `BundleError` if a logit differs by more than the card's tolerance, if the OOD detector does not return a
    number, or if the card has no golden photos.
    """
    card = engine.card
    if not card.golden:
        raise BundleError(
            "the model has no golden photos, so it cannot be verified here",
            where=where,
            fix="Export it again with `hangtag train`.",
        )
    for check in card.golden:
        answers = engine.run(_prepare(check, card, where)[None])
        _compare(check, {column: rows[0] for column, rows in answers.items()}, engine, where)
        _check_ood_detector(answers, engine, where)


def draw_probes(card: Card, count: int) -> Pixels:
    """Return photos for comparing graphs, uint8 (count, height, width, 3): varied copies of the card's golden photos.

    If there are none, or they cannot be decoded, noise is used.
    """
    size, dice = card.preprocessing, np.random.default_rng(0)
    try:
        originals = [prepare_photo(check.photo, size) for check in card.golden]
    except PhotoError:
        originals = []
    noise = dice.integers(0, 256, (count, size.height, size.width, 3), dtype=np.uint8)
    for position in range(count if originals else 0):
        shift = position // len(originals)
        # Shifted and mixed with a little noise, so that no two are alike and none is uniform.
        moved = np.roll(originals[position % len(originals)], (5 * shift, 3 * shift), axis=(0, 1))
        noise[position] = moved if shift == 0 else moved ^ (noise[position] & 15)
    return noise


def _prepare(check: GoldenCheck, card: Card, where: object) -> Pixels:
    try:
        return prepare_photo(check.photo, card.preprocessing)
    except PhotoError as error:
        raise BundleError(
            f"a golden photo of the model cannot be decoded: {error.detail}", where=where
        ) from None


def _compare(
    check: GoldenCheck, found: Mapping[str, npt.NDArray[np.float32]], engine: Engine, where: object
) -> None:
    for column, row in check.logits.items():
        expected = np.array(row, np.float32)
        tolerance = engine.card.golden_tolerance
        if engine.precision != "fp32":
            tolerance = max(tolerance, REDUCED_TOLERANCE * float(np.abs(expected).max()))
        difference = float(np.abs(found[column] - expected).max())
        if not difference <= tolerance:  # NaN fails too
            raise BundleError(
                f"the model fails its golden check in {engine.precision}: a logit of {column} differs by "
                f"{difference:.3g} from the expected one; at most {tolerance:.3g} is allowed",
                where=where,
                fix="The file was changed, or hangtag's preprocessing was: get the bundle again or train it again.",
            )


def _check_ood_detector(
    answers: Mapping[str, npt.NDArray[np.float32]], engine: Engine, where: object
) -> None:
    """Raise if the OOD detector returns NaN: no threshold would ever flag anything.

    The card has no golden scores to compare it with.
    """
    detector = engine.card.ood_detector
    if detector is not None and not np.isfinite(answers[detector.output]).all():
        raise BundleError(
            f"the model fails its golden check in {engine.precision}: its OOD detector gives no number",
            where=where,
            fix="The file was changed: get the bundle again or train it again.",
        )
