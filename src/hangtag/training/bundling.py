"""The end of a training: export the network as a bundle, calibrate, compare with torch, and measure.

Everything is measured with the exported graph and the inference engine. Torch is only used to check that they agree.
The weights are stored in half precision if the recipe says so.
"""

import contextlib
import io
import math
import warnings
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from hangtag.bundle.card import Card, EmbeddingCard, GoldenCheck, HeadCard, OodDetectorCard
from hangtag.bundle.file import write_bundle
from hangtag.bundle.statistics import EmbeddingStatistics, write_statistics
from hangtag.domain.errors import TrainingError
from hangtag.imaging.preprocess import Pixels, prepare_photo
from hangtag.imaging.samples import load_sample_photos
from hangtag.inference.calibration import calibrate, choose_thresholds, widen_ood_threshold
from hangtag.inference.engine import Engine
from hangtag.inference.probabilities import PredictionBuilder
from hangtag.networks.multihead import ServedNetwork
from hangtag.training.checkpoint import History
from hangtag.training.data import OOD_OUTPUT, UNKNOWN, TrainingData
from hangtag.training.loop import TrainedNetwork
from hangtag.training.negatives import NEGATIVES
from hangtag.training.rare_classes import lift_as_before, lift_rare_classes
from hangtag.training.recipe import Recipe

Logits = Mapping[str, npt.NDArray[np.float32]]

_PARITY_PHOTOS: Final = 256
_EMBEDDED_AT_ONCE: Final = 1024
_GOLDEN_PHOTOS: Final = 3
_GOLDEN_SIDE: Final = 120  # pixels: enough for a photo, and small in the card
_GOLDEN_TOLERANCE: Final = 0.05
"""Processors add in different orders, which changes a logit slightly. A wrong class order changes it by whole units."""


def write_trained_bundle(
    trained: TrainedNetwork, recipe: Recipe, data: TrainingData, facts: Mapping[str, Any], path: Path
) -> Card:
    """Export, verify and calibrate a trained network, write it as a bundle, and return its card.

    `facts` describe the data (catalogue, split settings, counts) and go into the card unchanged. If the data have a
    twin, the calibration, thresholds and figures are the twin's, and the card says so.

    Raises `TrainingError` if the exported graph does not give torch's logits within the recipe's tolerance.
    """
    card = _first_card(trained.history, recipe, data, facts)
    if data.twin is not None:
        lift_as_before(trained.network, data, data.twin.data.get("rare_classes_lifted", {}))
        card = _with_figures_of(card, data.twin)
    elif recipe.answers.rare_class_loss is not None:
        strengths = lift_rare_classes(trained.network, data, card, recipe.answers.rare_class_loss)
        card = replace(card, data={**card.data, "rare_classes_lifted": strengths})
    if recipe.export.embedding:
        card = replace(card, embedding=EmbeddingCard(EMBEDDING_OUTPUT, trained.network.network.feature_count))
    graph = export_graph(trained.network, recipe)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft.onnx")
    try:
        write_bundle(graph, card, draft)
        engine = Engine(draft, precision="fp32")
        require_parity(
            trained, engine, np.array(data.validation.pixels[:_PARITY_PHOTOS]), recipe.export.logit_tolerance
        )
        if data.twin is None:
            card = _calibrated(card, engine, data, recipe.answers.target_accuracy)
        card = replace(card, golden=_golden_checks(engine, recipe), golden_tolerance=_GOLDEN_TOLERANCE)
        write_bundle(graph, card, path)
        if recipe.export.embedding and recipe.export.statistics:
            write_statistics(path, measure_embeddings(engine, data))
    finally:
        draft.unlink(missing_ok=True)
    return card


def require_parity(trained: TrainedNetwork, engine: Engine, pixels: Pixels, tolerance: float) -> None:
    """Compare the engine's logits with torch's, both in float32, for photos uint8 (N, height, width, 3).

    Raises `TrainingError` naming the head with the largest difference if it exceeds the tolerance.
    """
    with torch.no_grad():
        expected = dict(
            zip(trained.network.network.heads, trained.network(torch.from_numpy(pixels)), strict=True)
        )
    found = engine.run(pixels)
    worst = {column: float(np.abs(found[column] - expected[column].numpy()).max()) for column in expected}
    column = max(worst, key=worst.__getitem__)
    if not worst[column] <= tolerance:
        raise TrainingError(
            f"the exported graph differs from the trained network: {column} by {worst[column]:.3g}, over {tolerance}",
            fix='Set weights = "float32" in the recipe, or a larger logit_tolerance if that is acceptable.',
        )


def _first_card(history: History, recipe: Recipe, data: TrainingData, facts: Mapping[str, Any]) -> Card:
    today: date = datetime.now(UTC).date()
    return Card(
        name=recipe.name,
        version=today.strftime("%Y.%m.%d"),
        description=recipe.description,
        licence=recipe.licence,
        created=today.isoformat(),
        architecture=recipe.network.architecture,
        recipe={"sha256": recipe.fingerprint(), **recipe.model_dump(mode="json")},
        heads=[HeadCard(column, data.classes[column]) for column in recipe.columns],
        taxonomy=data.taxonomy,
        preprocessing=recipe.preprocessing,
        data={**facts, "sha256": data.fingerprint},
        ood_detector=OodDetectorCard(OOD_OUTPUT, 0.0, "head trained on photos of no product")
        if recipe.ood
        else None,
        sources=data.sources,
        history=[{name: value for name, value in row.items() if math.isfinite(value)} for row in history],
    )


def _with_figures_of(card: Card, twin: Card) -> Card:
    """Return the card with the measurements and thresholds of a twin, which had held-out photos."""
    lifted = twin.data.get("rare_classes_lifted")
    said = {"figures_of": {"name": twin.name, "version": twin.version, "recipe": twin.recipe.get("sha256")}}
    return replace(
        card,
        heads=twin.heads,
        ood_detector=twin.ood_detector,
        target_accuracy=twin.target_accuracy,
        precisions=twin.precisions,
        metrics=twin.metrics,
        data={**card.data, **said, **({} if lifted is None else {"rare_classes_lifted": lifted})},
    )


def require_twin(recipe: Recipe, twin: Card) -> None:
    """Raise `TrainingError` if a twin's figures would not apply to a model that is trained on everything."""
    if twin.recipe.get("sha256") != recipe.fingerprint():
        raise TrainingError(
            f"{twin.name} was trained with another recipe, so its figures are not those of {recipe.name}",
            where="`figures_of`",
            fix="Train the recipe on its splits first, and pass the bundle of that run.",
        )
    if "figures_of" in twin.data or not twin.metrics:
        raise TrainingError(f"{twin.name} has no figures of its own", where="`figures_of`")
    if recipe.optimisation.patience:
        raise TrainingError(
            "early stopping needs validation photos that are held out",
            where="optimisation.patience",
            fix="Set it to 0, and epochs to those that the measured run took.",
        )


def _calibrated(card: Card, engine: Engine, data: TrainingData, target_accuracy: float) -> Card:
    """Return the card with calibration and with thresholds for a target, both from the validation split."""
    outputs, targets = engine.run(np.asarray(data.validation.pixels)), data.validation.targets
    card = calibrate(card, outputs, targets)
    card = choose_thresholds(card, PredictionBuilder(card).build(outputs), targets, target_accuracy)
    builder = PredictionBuilder(card)
    scores = {
        name: builder.build(engine.run(np.asarray(samples.pixels))).ood_score
        for name, samples in data.kept_back.items()
    }
    negatives = scores.pop(NEGATIVES, None)
    return widen_ood_threshold(card, [score for score in scores.values() if score is not None], negatives)


def measure_embeddings(engine: Engine, data: TrainingData) -> EmbeddingStatistics:
    """Return embedding statistics of the train photos that show products, without augmentation."""
    targets = data.train.targets
    none = targets.get(OOD_OUTPUT)
    products = np.flatnonzero(none == 0) if none is not None else np.arange(len(data.train))
    size = engine.card.output_widths[EMBEDDING_OUTPUT]
    total, squares = np.zeros(size), np.zeros((size, size))
    sums = {column: np.zeros((len(classes), size)) for column, classes in data.classes.items()}
    for start in range(0, len(products), _EMBEDDED_AT_ONCE):
        chosen = products[start : start + _EMBEDDED_AT_ONCE]
        rows = engine.run(np.array(data.train.pixels[chosen]))[EMBEDDING_OUTPUT].astype(np.float64)
        total += rows.sum(axis=0)
        squares += rows.T @ rows
        for column, by_class in sums.items():
            labels = targets[column][chosen]
            known = labels != UNKNOWN
            np.add.at(by_class, labels[known], rows[known])
    count = max(1, len(products))
    mean = total / count
    counts = {
        column: np.bincount(labels[labels != UNKNOWN], minlength=len(sums[column]))
        for column in sums
        for labels in [targets[column][products]]
    }
    means = {
        column: np.where(counts[column][:, None] > 0, by_class / np.maximum(1, counts[column])[:, None], mean)
        for column, by_class in sums.items()
    }
    return EmbeddingStatistics(
        len(products),
        mean.astype(np.float32),
        (squares / count - np.outer(mean, mean)).astype(np.float32),
        {column: rows.astype(np.float32) for column, rows in means.items()},
        counts,
    )


def _golden_checks(engine: Engine, recipe: Recipe) -> list[GoldenCheck]:
    """Return golden checks: the engine's logits for drawn photos, from file bytes on, as when the bundle is loaded."""
    checks = []
    for image in list(load_sample_photos().values())[:_GOLDEN_PHOTOS]:
        small = image.copy()
        small.thumbnail((_GOLDEN_SIDE, _GOLDEN_SIDE))
        file = io.BytesIO()
        small.quantize(64).save(file, "PNG", optimize=True)
        answers = engine.run(prepare_photo(file.getvalue(), recipe.preprocessing)[None])
        logits = {
            column: [round(float(value), 4) for value in answers[column][0]] for column in recipe.columns
        }
        checks.append(GoldenCheck.from_png(file.getvalue(), logits))
    return checks


EMBEDDING_OUTPUT: Final = "embedding"
"""The graph output with the backbone's features."""

_OPSET: Final = 18
_SMALL: Final = 256  # smaller tensors stay in float32: they save nothing, and biases matter


def export_graph(network: ServedNetwork, recipe: Recipe) -> onnx.ModelProto:
    """Return the ONNX graph: input `photos` uint8 (N, height, width, 3), one float32 output of logits per head.

    The last output is `EMBEDDING_OUTPUT`, float32 (N, features), unless the recipe leaves it out. Batch normalisation
    is folded into the convolutions. Raises `TrainingError` if torch cannot export the network.
    """
    example = torch.zeros(2, recipe.preprocessing.height, recipe.preprocessing.width, 3, dtype=torch.uint8)
    served = ServedNetwork(network.normalise, network.network, embeds=recipe.export.embedding).eval()
    count = torch.export.Dim("count", min=1, max=65536)
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
    ):  # the exporter prints its progress
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            served.to(memory_format=torch.contiguous_format),
            (example,),
            dynamo=True,
            input_names=["photos"],
            output_names=[*network.network.heads, *([EMBEDDING_OUTPUT] if served.embeds else [])],
            dynamic_shapes=({0: count},),
            opset_version=_OPSET,
        )
    if program is None:
        raise TrainingError("torch could not translate the network to ONNX")
    model: onnx.ModelProto = program.model_proto
    _strip_source_notes(model)
    if recipe.export.weights == "float16":
        store_weights_as_float16(model)
    onnx.checker.check_model(model)
    return model


def store_weights_as_float16(model: onnx.ModelProto) -> None:
    """Halve the file, in place: large float32 weights are stored as float16 and cast back when the graph is loaded.

    Raises `TrainingError` for a weight that float16 cannot represent.
    """
    casts = []
    for position, tensor in enumerate(model.graph.initializer):
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < _SMALL:
            continue
        halved = values.astype(np.float16)
        if not np.isfinite(halved).all():
            raise TrainingError(
                f"the weight {tensor.name} does not fit into float16", fix='Set weights = "float32".'
            )
        stored = f"{tensor.name}.float16"
        casts.append(helper.make_node("Cast", [stored], [tensor.name], to=TensorProto.FLOAT))
        model.graph.initializer[position].CopyFrom(numpy_helper.from_array(halved, stored))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _strip_source_notes(model: onnx.ModelProto) -> None:
    """Remove the exporter's notes on source files, which are private and differ each time."""
    graph = model.graph
    described: list[Any] = [
        model,
        graph,
        *graph.node,
        *graph.input,
        *graph.output,
        *graph.value_info,
        *graph.initializer,
    ]
    for part in described:
        del part.metadata_props[:]
        part.doc_string = ""
    del graph.value_info[:]
