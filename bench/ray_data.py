"""Label photos with Ray Data instead of hangtag's own pool of workers; decision 14 compares them.

    python bench/ray_overhead.py PHOTOS --data        # starts this one next to the others, in turn
    python bench/ray_data.py FOLDER ADDRESS WORKERS PRECISION SUMMARY

The worker is the same, and so are the chunks; results are in the order of the photos. They are only counted: no rows or
table are written, which favours Ray Data a little. Exits with 1 if a photo is missing or out of order.
"""

import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

import numpy.typing as npt
import ray

from hangtag.bundle.file import DEFAULT_NAME, find_bundle
from hangtag.labelling.cluster.pool import CHUNK_PHOTOS
from hangtag.labelling.cluster.worker import LabellingWorker, ModelFiles, Refusal, WorkPlan, hand_over
from hangtag.labelling.inputs import InputSettings, PhotoFile, PhotoWalk
from hangtag.pipelines.predict import load_models


class Stage:
    """A worker as a Ray Data stage: batches of names in, batches of arrays out."""

    def __init__(self, plan: Any) -> None:  # noqa: ANN401 - a reference, which Ray Data may have looked up already
        self._worker = LabellingWorker(ray.get(plan) if isinstance(plan, ray.ObjectRef) else plan, 1)
        self._worker.start()

    def __call__(self, batch: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        """Label a batch of paths."""
        found = self._worker.label([hand_over(PhotoFile(str(path))) for path in batch["item"]])
        if isinstance(found, Refusal):
            raise found.as_error()
        (predictions,) = found
        columns = {"name": batch["item"]}
        for name in predictions.columns:
            columns[f"{name} probabilities"] = predictions.probabilities[name]
            columns[f"{name} chosen"] = predictions.label_indices[name]
        return columns


def main() -> None:
    """Label a folder."""
    folder, address, workers, precision, summary = sys.argv[1:]
    models = load_models([DEFAULT_NAME], precision, 1)  # type: ignore[arg-type]  # it is checked there
    files = {name: ModelFiles.of(find_bundle(DEFAULT_NAME), model) for name, model in models.items()}
    names = [photo.path for photo in PhotoWalk([Path(folder).resolve()])]
    started = time.perf_counter()
    ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    blocks = max(int(workers), len(names) // CHUNK_PHOTOS)
    labelled = ray.data.from_items(names, override_num_blocks=blocks).map_batches(
        Stage,
        fn_constructor_args=(ray.put(WorkPlan(files, InputSettings())),),
        batch_size=CHUNK_PHOTOS,
        compute=ray.data.ActorPoolStrategy(size=int(workers)),
        num_cpus=1,
    )
    found = [str(name) for batch in labelled.iter_batches(batch_size=None) for name in batch["name"]]
    Path(summary).write_text(json.dumps({"seconds": time.perf_counter() - started}), "utf-8")
    sys.exit(found != names)


if __name__ == "__main__":
    main()
