"""What the public API promises to a type checker: `make types` checks this file, and nothing runs it."""

from pathlib import Path
from typing import assert_type

from hangtag import Failure, Label, Model, Outcome, Prediction, load_model

model = load_model()
assert_type(model, Model)
assert_type(load_model(Path("shop.onnx"), precision="fp32", threads=1), Model)

outcomes = model.predict(["shirt.jpg", Path("shoe.jpg"), b"the bytes of a photo"])
assert_type(outcomes, list[Outcome])
for outcome in outcomes:
    if isinstance(outcome, Prediction):
        assert_type(outcome["articleType"], Label)
        assert_type(outcome["articleType"].confidence, float)
        assert_type(outcome.answer, tuple[str, ...])
    else:
        assert_type(outcome, Failure)
        assert_type(outcome.detail, str)
