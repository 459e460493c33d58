"""Compare labelling with the alternatives: the same photos and processors, in turn, in one run.

    python bench/alternatives.py PHOTOS [--model NAME] [--count 1024] [--rounds 5] [--threads N]

Every alternative goes from files to labels. Except for hangtag's own, photos are opened one by one with Pillow, as such
programs do. Weights are random where they do not affect speed. Slow alternatives get fewer photos. Needs the extra
`train`, and onnxruntime for some; alternatives with missing libraries are skipped with a message.

FashionCLIP is a CLIP ViT-B/32 (Chia et al.: Contrastive language and vision learning of general fashion concepts,
Scientific Reports 2022). Only its image tower is timed, since the label texts are encoded once. The original of this
project (a student's) ran a VGG16 at 128x128 on one photo per call.
"""

import argparse
import io
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image
from rich.table import Table

from hangtag.bundle.card import Card
from hangtag.bundle.file import find_bundle, read_bundle
from hangtag.cli.console import open_console
from hangtag.domain.errors import UsageError
from hangtag.imaging.preprocess import Preprocessing, prepare_photo
from hangtag.inference.model import load_model
from hangtag.inference.runtime import count_usable_cpus, load_runtime
from hangtag.labelling.inputs import PhotoFile, PhotoWalk
from hangtag.pipelines.bench import label_all

Floats = npt.NDArray[np.float32]
Answer = Callable[[npt.NDArray[Any]], object]

BATCH: Final = 32
CLIP_SIDE: Final = 224
ORIGINAL_SIDE: Final = 128
SLOW: Final = 8
"""A slow alternative gets one in this many photos."""

CLIP_RANGE: Final = (
    np.array([0.48145466, 0.4578275, 0.40821073], np.float32),
    np.array([0.26862954, 0.26130258, 0.27577711], np.float32),
)


@dataclass(frozen=True)
class Way:
    """A way to label photos, and the fraction of photos that it gets (one in so many)."""

    run: Callable[[Sequence[PhotoFile]], object]
    one_of: int = 1


def main() -> None:
    """Measure and print a table."""
    arguments = _parse()
    threads = arguments.threads or count_usable_cpus()
    photos = list(islice(PhotoWalk([arguments.photos]), arguments.count))
    if len(photos) < BATCH * SLOW:
        raise SystemExit(f"{len(photos)} photos are too few: {BATCH * SLOW} or more")
    with tempfile.TemporaryDirectory(prefix="hangtag-bench-") as folder:
        ways = build_ways(arguments.model, threads, Path(folder))
        rates = time_ways(ways, photos, arguments.rounds)
    _print(rates, ways, len(photos), threads)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure labelling beside its alternatives.")
    parser.add_argument("photos", type=Path)
    parser.add_argument("--model", default="default")
    parser.add_argument("--count", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int)
    return parser.parse_args()


def build_ways(model: str, threads: int, folder: Path) -> dict[str, Way]:
    """Return the alternatives by name, hangtag's first. Report those with missing libraries."""
    path = find_bundle(model)
    card = read_bundle(path).card
    ways = _hangtag_ways(path, threads)
    if find_spec("onnxruntime"):
        one_by_one = _onnx_runtime(path, threads)
        ways["the same model, ONNX Runtime, photo by photo"] = Way(
            partial(answer_each, card.preprocessing, one_by_one)
        )
    else:
        print("ONNX Runtime is left out: it is not installed")
    if not find_spec("torch"):
        print("PyTorch, CLIP and VGG16 are left out: they need the extra `train`")
        return ways
    ways["the same network, PyTorch eager, batches of 32"] = Way(
        partial(answer_batches, partial(prepare, card.preprocessing), _torch_network(card, threads)), 2
    )
    clip = export_clip(folder / "clip.onnx")
    if find_spec("onnxruntime"):
        ways["FashionCLIP's ViT-B/32, ONNX Runtime, batches of 32"] = Way(
            partial(answer_batches, prepare_for_clip, _onnx_runtime(clip, threads)), SLOW
        )
    ways["FashionCLIP's ViT-B/32, OpenVINO, batches of 32"] = Way(
        partial(answer_batches, prepare_for_clip, _openvino(clip, threads)), SLOW
    )
    ways["the original's way: VGG16 at 128x128, one photo a call, PyTorch"] = Way(
        partial(answer_each_original, _vgg16(threads)), SLOW
    )
    return ways


def time_ways(ways: Mapping[str, Way], photos: Sequence[PhotoFile], rounds: int) -> dict[str, float]:
    """Return the median photos per second of each alternative. All run in turn, after a warm-up."""
    taken = {name: list(photos[:: way.one_of]) for name, way in ways.items()}
    for name, way in ways.items():
        way.run(taken[name][: 2 * BATCH])
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            started = time.perf_counter()
            way.run(taken[name])
            rates[name].append(len(taken[name]) / (time.perf_counter() - started))
    return {name: statistics.median(values) for name, values in rates.items()}


def answer_each(preprocessing: Preprocessing, answer: Answer, photos: Sequence[PhotoFile]) -> None:
    """Open and label one photo after the other."""
    for photo in photos:
        answer(prepare_photo(photo.read(), preprocessing)[None])


def answer_each_original(answer: Answer, photos: Sequence[PhotoFile]) -> None:
    """Open a photo, stretch it to 128x128, label it, and go on."""
    for photo in photos:
        image = Image.open(io.BytesIO(photo.read())).convert("RGB").resize((ORIGINAL_SIDE, ORIGINAL_SIDE))
        answer(np.asarray(image, np.float32).transpose(2, 0, 1)[None] / 255)


def answer_batches(
    prepare_one: Callable[[bytes], npt.NDArray[Any]], answer: Answer, photos: Sequence[PhotoFile]
) -> None:
    """Open some photos, label them together, and go on."""
    for start in range(0, len(photos), BATCH):
        answer(np.stack([prepare_one(photo.read()) for photo in photos[start : start + BATCH]]))


def prepare(preprocessing: Preprocessing, data: bytes) -> npt.NDArray[np.uint8]:
    """Preprocess a photo as the model's card says."""
    return prepare_photo(data, preprocessing)


def prepare_for_clip(data: bytes) -> Floats:
    """Preprocess a photo for CLIP: the shorter side 224, cropped to the centre, normalised, (3, 224, 224)."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    scale = CLIP_SIDE / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
    left, top = (image.width - CLIP_SIDE) // 2, (image.height - CLIP_SIDE) // 2
    image = image.crop((left, top, left + CLIP_SIDE, top + CLIP_SIDE))
    mean, deviation = CLIP_RANGE
    normalised: Floats = (np.asarray(image, np.float32) / np.float32(255) - mean) / deviation
    return normalised.transpose(2, 0, 1)


def export_clip(path: Path) -> Path:
    """Write the image tower of a CLIP ViT-B/32, with random weights, as ONNX."""
    import timm  # noqa: PLC0415 - the extra `train` may be absent
    import torch  # noqa: PLC0415

    network = timm.create_model("vit_base_patch32_clip_224", pretrained=False, num_classes=512).eval()
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.zeros(2, 3, CLIP_SIDE, CLIP_SIDE),),
            path,
            dynamo=True,
            input_names=["photos"],
            dynamic_shapes=({0: torch.export.Dim("count", min=1, max=1024)},),
        )
    return path


def _hangtag_ways(path: Path, threads: int) -> dict[str, Way]:
    ways = {}
    for precision in ("auto", "bf16", "fp32", "int8"):
        try:
            engine = load_model(path, precision=precision, threads=threads).engine
        except UsageError:
            continue  # there is no int8 form
        name = f"hangtag, {precision}" + (f" ({engine.precision})" if precision == "auto" else "")
        ways[name] = Way(partial(_label, engine, threads))
    return ways


def _label(engine: Any, threads: int, photos: Sequence[PhotoFile]) -> None:  # noqa: ANN401 - see label_all
    label_all(photos, engine, threads)


def _onnx_runtime(path: Path, threads: int) -> Answer:
    import onnxruntime  # noqa: PLC0415 - it may be absent

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def answer(photos: npt.NDArray[Any]) -> object:
        return session.run(None, {"photos": photos})

    return answer


def _openvino(path: Path, threads: int) -> Answer:
    compiled = load_runtime().compile_model(path, "CPU", {"INFERENCE_NUM_THREADS": threads})

    def answer(photos: npt.NDArray[Any]) -> object:
        return compiled([photos])

    return answer


def _torch_network(card: Card, threads: int) -> Answer:
    from hangtag.networks.registry import build_network  # noqa: PLC0415 - the extra `train` may be absent

    size = (card.preprocessing.height, card.preprocessing.width)
    counts = {head.column: len(head.classes) for head in card.heads}
    normalise, network = build_network(card.architecture, counts, size)
    return _eager(lambda photos: network(normalise(photos.permute(0, 3, 1, 2).float())), network, threads)


def _vgg16(threads: int) -> Answer:
    from hangtag.networks.registry import build_network  # noqa: PLC0415 - the extra `train` may be absent

    normalise, network = build_network("vgg16", {"masterCategory": 5}, (ORIGINAL_SIDE, ORIGINAL_SIDE))
    return _eager(lambda photos: network(normalise(photos)), network, threads)


def _eager(run: Callable[[Any], object], network: Any, threads: int) -> Answer:  # noqa: ANN401 - torch may be absent
    import torch  # noqa: PLC0415 - the extra `train` may be absent

    torch.set_num_threads(threads)
    network.eval()

    def answer(photos: npt.NDArray[Any]) -> object:
        with torch.inference_mode():
            return run(torch.from_numpy(np.ascontiguousarray(photos)))

    return answer


def _print(rates: Mapping[str, float], ways: Mapping[str, Way], photos: int, threads: int) -> None:
    table = Table("way", title=f"{threads} processors", title_justify="left", box=None)
    for heading in ("photos", "photos/s", "hangtag auto is times as fast"):
        table.add_column(heading, justify="right")
    fastest = next(iter(rates.values()))
    for name, rate in rates.items():
        table.add_row(name, f"{-(-photos // ways[name].one_of):,}", f"{rate:,.1f}", f"{fastest / rate:,.1f}")
    open_console().print(table)


if __name__ == "__main__":
    main()
