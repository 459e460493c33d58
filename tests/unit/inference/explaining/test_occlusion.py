from dataclasses import dataclass, field

import numpy as np

from hangtag.inference.explaining.explainer import render_occlusion

SIZE = (48, 36)
TARGET = (slice(8, 20), slice(18, 30))


@dataclass
class LookingEngine:
    """Answers the second class by what is dark in one place, and the third by what is dark in another."""

    asked: list = field(default_factory=list)

    def run(self, pixels):
        self.asked.append(len(pixels))
        dark = 1 - pixels[..., 0].astype(np.float32) / 255
        here, there = dark[:, *TARGET].mean(axis=(1, 2)), dark[:, 36:44, 4:12].mean(axis=(1, 2))
        return {"kind": np.stack([np.zeros_like(here), 20 * here, 5 * there], axis=1)}


def draw():
    photo = np.full((*SIZE, 3), 255, np.uint8)
    photo[TARGET] = 0
    photo[36:44, 4:12] = 0
    return photo


def inside(heat, window):
    positive = np.maximum(heat, 0)
    return positive[window].sum() / positive.sum()


def test_the_place_that_a_class_depends_on_is_found():
    heat = render_occlusion(LookingEngine(), draw(), {"kind": 1})["kind"]
    assert heat.shape == SIZE
    assert heat.dtype == np.float32
    top, left = np.unravel_index(heat.argmax(), SIZE)
    assert 8 <= top < 20
    assert 18 <= left < 30
    assert inside(heat, TARGET) > 0.6


def test_what_speaks_for_another_class_is_cold():
    heat = render_occlusion(LookingEngine(), draw(), {"kind": 1})["kind"]
    assert heat[36:44, 4:12].max() <= 0
    other = render_occlusion(LookingEngine(), draw(), {"kind": 2})["kind"]
    assert inside(other, (slice(32, 48), slice(0, 16))) > 0.6
    assert other[TARGET].max() <= 0


def test_a_confidence_close_to_one_hides_nothing():
    """The class has a probability of 1 - 1e-8; in probabilities no cover would cost anything."""
    heat = render_occlusion(LookingEngine(), draw(), {"kind": 1})["kind"]
    assert heat.max() > 2


def test_the_background_is_not_covered_by_itself():
    engine = LookingEngine()
    render_occlusion(engine, draw(), {"kind": 1})
    full = LookingEngine()
    render_occlusion(full, np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8), {"kind": 1})
    assert sum(engine.asked) < 0.6 * sum(full.asked)


def test_an_empty_photo_has_no_heat():
    heat = render_occlusion(LookingEngine(), np.full((*SIZE, 3), 90, np.uint8), {"kind": 1})["kind"]
    np.testing.assert_array_equal(heat, np.zeros(SIZE))


def test_a_head_with_one_class_is_explained_by_its_logit():
    class OneClass(LookingEngine):
        def run(self, pixels):
            return {"kind": super().run(pixels)["kind"][:, 1:2]}

    assert inside(render_occlusion(OneClass(), draw(), {"kind": 0})["kind"], TARGET) > 0.6
