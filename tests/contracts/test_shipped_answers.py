"""What the shipped model answers to the sample photos: a new bundle changes this file knowingly.

`python tests/contracts/test_shipped_answers.py` writes it anew.
"""

import json
import tempfile
from pathlib import Path

import pytest

from hangtag.imaging.samples import write_sample_photos
from hangtag.inference.model import load_model

KEPT = Path(__file__).with_name("shipped_answers.json")
UNDECIDED = 0.55


def answer_samples(folder):
    """Return for each drawn photo the labels with their confidences, the sure part of the path, and the flags."""
    paths = write_sample_photos(folder)
    return {
        path.stem: {
            "labels": {
                column: [first.value, round(first.confidence, 3)]
                for column, (first, *_) in outcome.candidates.items()
            },
            "answer": list(outcome.answer),
            "flags": list(outcome.flags),
        }
        for path, outcome in zip(paths, load_model(precision="fp32").predict(paths), strict=True)
    }


def test_it_answers_the_drawn_photos_as_it_did(tmp_path):
    kept, found = json.loads(KEPT.read_text("utf-8")), answer_samples(tmp_path)
    assert found.keys() == kept.keys()
    for name, photo in kept.items():
        for column, (value, confidence) in photo["labels"].items():
            label, now = found[name]["labels"][column]
            # Processors differ a little, and may decide otherwise where nothing is decided.
            assert now == pytest.approx(confidence, abs=0.02), (name, column)
            assert label == value or confidence < UNDECIDED, (name, column)
        assert found[name]["answer"] == photo["answer"], name
        assert found[name]["flags"] == photo["flags"], name


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        photos = answer_samples(Path(folder)).items()
    lines = [f"{json.dumps(name)}: {json.dumps(photo, ensure_ascii=False)}" for name, photo in photos]
    KEPT.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
