"""What the public API promises to a type checker: `make types` checks this file, and nothing runs it."""

from pathlib import Path
from typing import assert_type

import numpy as np

import hangtag
from hangtag import Failure, Label, Model, Outcome, Prediction, Predictions, load_model

model = load_model()
assert_type(model, Model)
assert_type(load_model(Path("shop.onnx"), precision="fp32", threads=1), Model)

assert_type(model.predict("shirt.jpg"), Predictions)
assert_type(model.predict(["shirt.jpg", Path("shoe.jpg"), b"the bytes of a photo"]), Predictions)
assert_type(model.predict(np.zeros((80, 60, 3), np.uint8)), Predictions)
assert_type(hangtag.predict("photos/", "default", threads=1), Predictions)

predictions = model.predict("photos/")
assert_type(len(predictions), int)
assert_type(predictions[0], Outcome)
assert_type(predictions[:10], Predictions)
for outcome in predictions:
    if isinstance(outcome, Prediction):
        assert_type(outcome["articleType"], Label)
        assert_type(outcome["articleType"].confidence, float)
        assert_type(outcome.answer, tuple[str, ...])
    else:
        assert_type(outcome, Failure)
        assert_type(outcome.detail, str)

assert_type(hangtag.evaluate("default", on="my-photos/"), hangtag.Evaluation)
assert_type(hangtag.train("default", "catalogue", limit=1000), hangtag.TrainResult)
assert_type(hangtag.read_catalogue("catalogue"), hangtag.CatalogueTable)
