"""Measure the engine on preprocessed pixels, next to ONNX Runtime; one photo at a time; and a cold start.

    python bench/inference.py [MODEL] [--photos 1024] [--rounds 5] [--settings | --beside OTHER]

Everything is measured in turn, round after round, and medians are printed, so that other load affects all lines alike.
`images per CPU second` is hardly affected at all. `--settings` compares OpenVINO's own settings, from which decision
0002 chose; `--beside` measures another model in the same run.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from hangtag import load_model
from hangtag.bundle.file import Bundle, find_bundle, read_bundle
from hangtag.imaging.samples import write_sample_photos
from hangtag.inference.engine import BATCH_SIZE
from hangtag.inference.measured import EngineSetting
from hangtag.inference.runtime import count_usable_cpus, load_runtime
from hangtag.inference.selection import Forms, build_engine

Pixels = npt.NDArray[np.uint8]
Work = Callable[[Pixels], object]

COLD_STARTS: Final = 5
SINGLE_PHOTOS: Final = 200


def main() -> None:
    """Measure and print the tables."""
    arguments = _parse()
    path = find_bundle(arguments.model)
    bundle = read_bundle(path)
    pixels = _random_pixels(bundle, arguments.photos)
    threads = arguments.threads or count_usable_cpus()
    if arguments.settings:
        works = _settings(bundle, threads)
    elif arguments.beside:
        works = _models([bundle, read_bundle(find_bundle(arguments.beside))], threads, arguments.photos)
    else:
        works = _engines(bundle, threads)
    _print_rates(works, pixels, arguments.rounds, threads)
    if not (arguments.settings or arguments.beside):
        with tempfile.TemporaryDirectory() as folder:
            photo = write_sample_photos(Path(folder))[0]
            _print_waits(path, photo, threads)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the engine on ready pixels, and a cold start.")
    parser.add_argument("model", nargs="?", default="default")
    parser.add_argument("--photos", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--settings", action="store_true", help="compare OpenVINO's settings instead")
    what.add_argument("--beside", help="compare with another model of the same photo size instead")
    return parser.parse_args()


def _engines(bundle: Bundle, threads: int) -> dict[str, Work]:
    works: dict[str, Work] = {}
    for precision, form in Forms.of(bundle).offered.items():
        for size in (1, 8, BATCH_SIZE, 32, 64):
            engine = build_engine(form, EngineSetting(precision, threads, size))
            works[f"hangtag {engine.precision}, {size} at a time"] = engine.run
    if find_spec("onnxruntime"):
        works |= {
            f"ONNX Runtime, {size} at a time": _onnx_runtime(bundle, threads, size) for size in (1, 16, 32)
        }
    return works


def _models(bundles: Sequence[Bundle], threads: int, photos: int) -> dict[str, Work]:
    works: dict[str, Work] = {}
    for bundle in bundles:
        pixels = _random_pixels(bundle, photos)
        for precision, form in Forms.of(bundle).offered.items():
            engine = build_engine(form, EngineSetting(precision, threads, BATCH_SIZE))
            works[f"{bundle.path}, {precision}"] = partial(_run_own, engine.run, pixels)
    return works


def _run_own(run: Work, own: Pixels, pixels: Pixels) -> None:
    """Run the same number of photos, but of the size that this model takes."""
    run(own[: len(pixels)])


def _random_pixels(bundle: Bundle, photos: int) -> Pixels:
    size = bundle.card.preprocessing
    dice = np.random.default_rng(0)
    return dice.integers(0, 256, (photos, size.height, size.width, 3), dtype=np.uint8)


def _onnx_runtime(bundle: Bundle, threads: int, size: int) -> Work:
    import onnxruntime  # noqa: PLC0415 - optional

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(bundle.model_bytes, options, providers=["CPUExecutionProvider"])

    def run(pixels: Pixels) -> None:
        for start in range(0, len(pixels), size):
            session.run(None, {"photos": pixels[start : start + size]})

    return run


def _settings(bundle: Bundle, threads: int) -> dict[str, Work]:
    choices = product(("f32", "bf16"), ("LATENCY", "THROUGHPUT"), (16, 32, 64), ("fixed", "free"))
    works: dict[str, Work] = {}
    for precision, hint, size, shape in choices:
        settings = {
            "INFERENCE_PRECISION_HINT": precision,
            "PERFORMANCE_HINT": hint,
            "INFERENCE_NUM_THREADS": threads,
        }
        works[f"{precision} {hint.lower()}, {shape} batch of {size}"] = _openvino(
            bundle, settings, size, shape
        )
    return works


def _openvino(bundle: Bundle, settings: Mapping[str, object], size: int, shape: str) -> Work:
    core = load_runtime()
    graph = core.read_model(bundle.model_bytes)
    height, width = bundle.card.preprocessing.height, bundle.card.preprocessing.width
    graph.reshape([size if shape == "fixed" else -1, height, width, 3])
    compiled = core.compile_model(graph, "CPU", settings)
    requests = [
        compiled.create_infer_request()
        for _ in range(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS") + 1)
    ]
    return partial(_run_requests, requests, size)


def _run_requests(requests: Sequence[Any], size: int, pixels: Pixels) -> None:
    for position, start in enumerate(range(0, len(pixels) - size + 1, size)):
        request = requests[position % len(requests)]
        request.wait()
        request.start_async([pixels[start : start + size]], share_inputs=True)
    for request in requests:
        request.wait()


def _print_rates(works: Mapping[str, Work], pixels: Pixels, rounds: int, threads: int) -> None:
    for work in works.values():  # the first time includes compilation
        work(pixels[:128])
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            started, cpu_started = time.perf_counter(), time.process_time()
            work(pixels)
            measured[name].append((time.perf_counter() - started, time.process_time() - cpu_started))
    table = Table(
        title=f"{len(pixels):,} photos of ready pixels, {threads} threads", title_justify="left", box=None
    )
    table.add_column("engine")
    for heading in ("images/s", "images per CPU second", "beside the first"):
        table.add_column(heading, justify="right")
    rates = {
        name: [len(pixels) / statistics.median(column) for column in zip(*times, strict=True)]
        for name, times in measured.items()
    }
    first = next(iter(rates.values()))[1]
    for name, (rate, cpu_rate) in rates.items():
        table.add_row(name, f"{rate:,.0f}", f"{cpu_rate:,.0f}", f"{cpu_rate / first:.2f}")
    Console().print(table)


def _print_waits(path: Path, photo: Path, threads: int) -> None:
    command = [sys.executable, "-m", "hangtag.cli.main"]
    started = time.perf_counter()
    model = load_model(path, threads=threads)
    loading = time.perf_counter() - started
    data = photo.read_bytes()
    singles = [_seconds(partial(model.predict, [data])) for _ in range(SINGLE_PHOTOS)]
    run = partial(subprocess.run, check=True, capture_output=True)
    predict = partial(run, [*command, "predict", str(photo), "--model", str(path)])
    cold = [_seconds(predict) for _ in range(COLD_STARTS)]
    helps = [_seconds(partial(run, [*command, "--help"])) for _ in range(COLD_STARTS)]
    table = Table(
        "what a person waits for",
        title=f"{model.engine.precision}, {threads} threads",
        title_justify="left",
        box=None,
    )
    table.add_column("ms, median", justify="right")
    table.add_column("ms, worst", justify="right")
    for name, times in (
        ("hangtag --help, cold", helps),
        ("hangtag predict one.png, cold", cold),
        ("load_model, with its golden check", [loading]),
        ("model.predict of one photo", singles),
    ):
        table.add_row(name, f"{1000 * statistics.median(times):,.1f}", f"{1000 * max(times):,.1f}")
    Console().print(table)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
