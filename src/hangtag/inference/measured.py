"""The fastest precision and thread layout on this machine, and the file that stores them.

`hangtag bench` measures them in turn and stores the result in a small JSON file of this user. An entry is valid for one
processor, one model and one version of hangtag. The file holds only timings; deleting it restores the behaviour before
the first `hangtag bench`.
"""

import json
import os
import statistics
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from hangtag import __version__
from hangtag.bundle.card import REFERENCE_PRECISION
from hangtag.domain.durable import replacing
from hangtag.inference.runtime import count_usable_cpus, load_runtime

PRECISIONS_BY_EXACTNESS: Final = (REFERENCE_PRECISION, "bf16", "int8")
"""The precisions, most exact first."""

MIN_SPEEDUP: Final = 1.03
"""How many times as fast a setting must be to be preferred over a plainer one. Less is within measurement noise."""

Named = TypeVar("Named")


@dataclass(frozen=True, slots=True, order=True)
class EngineSetting:
    """The options of an engine: its precision, its threads, and its batch size."""

    precision: str
    threads: int
    batch_size: int


@dataclass(frozen=True, slots=True)
class Timing:
    """The speed of a setting on preprocessed pixels."""

    setting: EngineSetting
    images_per_s: float


def list_settings(
    precisions: Collection[str], processors: int, batch_sizes: Sequence[int]
) -> list[EngineSetting]:
    """Return the settings worth measuring, plainest first: each precision on all processors and on half of them.

    Half of them is best if two logical processors share a core. `batch_sizes` begins with the default; the others are
    only measured on all processors.
    """
    ordered = [precision for precision in PRECISIONS_BY_EXACTNESS if precision in precisions]
    halves = [processors, processors // 2] if processors > 1 else [processors]
    usual, *others = batch_sizes
    layouts = [(threads, usual) for threads in halves] + [(processors, size) for size in others]
    return [EngineSetting(precision, *layout) for precision in ordered for layout in layouts]


def choose_setting(timings: Sequence[Timing], allowed: Collection[str]) -> EngineSetting | None:
    """Return the fastest setting whose precision is allowed; None if there is none.

    `timings` are in the order of `list_settings`. A later one must be `MIN_SPEEDUP` times as fast as the one it
    replaces, so that noise does not select less exact numbers or an odd layout.
    """
    best: Timing | None = None
    for timing in timings:
        if timing.setting.precision not in allowed:
            continue
        if best is None or timing.images_per_s >= MIN_SPEEDUP * best.images_per_s:
            best = timing
    return None if best is None else best.setting


def time_in_turn(
    works: Mapping[Named, Callable[[], object]], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> dict[Named, float]:
    """Return the median seconds of each function. They run in turn, so that other load slows all of them alike.

    Each runs once before timing starts, to compile and to fill caches.
    """
    for work in works.values():
        work()
    seconds: dict[Named, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            started = clock()
            work()
            seconds[name].append(clock() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}


FILE_VARIABLE: Final = "HANGTAG_BENCH"
"""The environment variable that names the file; `none` disables it."""

NO_FILE: Final = "none"
FORMS_NAME: Final = "int8.json"
_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Host:
    """What a model's speed depends on: the processor's name, features and number, and hangtag's version."""

    processor: str
    abilities: tuple[str, ...]
    processors: int
    version: str

    @classmethod
    def here(cls) -> "Host":
        """Return this machine, as this process may use it."""
        core = load_runtime()
        abilities = sorted(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
        name = str(core.get_property("CPU", "FULL_DEVICE_NAME"))
        return cls(name, tuple(abilities), count_usable_cpus(), __version__)


Key = tuple[Host, str, str]
"""What timings are valid for: a machine, and the SHA-256 of a model's files."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The timings of one model. `model` and `int8` are the SHA-256 of its files, `int8` empty without an int8 form."""

    host: Host
    model: str
    int8: str
    timings: Sequence[Timing]

    @property
    def key(self) -> Key:
        """What the timings are valid for."""
        return (self.host, self.model, self.int8)


def measurements_file(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return the file of measurements: `HANGTAG_BENCH`, or one in the user's cache folder; None if disabled."""
    named = environment.get(FILE_VARIABLE, "")
    if named:
        return None if named == NO_FILE else Path(named)
    cache = environment.get("XDG_CACHE_HOME", "")
    if cache:
        return Path(cache) / "hangtag" / "bench.json"
    try:
        return Path.home() / ".cache" / "hangtag" / "bench.json"
    except RuntimeError:  # a user without a home folder
        return None


def recall(path: Path, key: Key) -> Measured | None:
    """Return the measurements of a model on a host; None if there are none. A broken file counts as empty."""
    return next((entry for entry in _read(path) if entry.key == key), None)


def remember(path: Path, measured: Measured) -> None:
    """Store a measurement, replacing an older one for the same key. The file is replaced atomically.

    Raises `OSError` if it cannot be written.
    """
    kept = [entry for entry in _read(path) if entry.key != measured.key]
    entries = [_entry_values(entry) for entry in [*kept, measured]]
    path.parent.mkdir(parents=True, exist_ok=True)
    written = datetime.now(UTC).isoformat(timespec="seconds")
    text = json.dumps({"format": _FORMAT, "written": written, "entries": entries}, indent=2)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def forms_file(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return the file, next to the measurements, with the paths of int8 forms that are not next to their models."""
    path = measurements_file(environment)
    return None if path is None else path.with_name(FORMS_NAME)


def remember_form(path: Path, source_graph: str, form: Path) -> None:
    """Store the path of a graph's int8 form, by the SHA-256 of the graph. Raises `OSError`."""
    forms = {**_read_forms(path), source_graph: str(form.resolve())}
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(forms, indent=2) + "\n", encoding="utf-8")


def recall_forms(path: Path | None, source_graph: str) -> list[Path]:
    """Return the stored path of a graph's int8 form. A broken file counts as empty."""
    found = None if path is None else _read_forms(path).get(source_graph)
    return [] if found is None else [Path(found)]


def _read_forms(path: Path) -> dict[str, str]:
    with suppress(OSError, ValueError):
        values = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(values, dict):
            return {key: value for key, value in values.items() if isinstance(value, str)}
    return {}


def forget(path: Path) -> bool:
    """Remove the file with all measurements. Returns False if there was none."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def _read(path: Path) -> list[Measured]:
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        values = json.loads(path.read_text(encoding="utf-8"))
        if values["format"] == _FORMAT:
            return [_parse_entry(entry) for entry in values["entries"]]
    return []


def _entry_values(entry: Measured) -> dict[str, Any]:
    timings = [
        {**asdict(timing.setting), "images_per_s": round(timing.images_per_s, 1)} for timing in entry.timings
    ]
    return {"host": asdict(entry.host), "model": entry.model, "int8": entry.int8, "timings": timings}


def _parse_entry(values: Mapping[str, Any]) -> Measured:
    host = values["host"]
    return Measured(
        Host(host["processor"], tuple(host["abilities"]), int(host["processors"]), host["version"]),
        str(values["model"]),
        str(values["int8"]),
        tuple(_parse_timing(timing) for timing in values["timings"]),
    )


def _parse_timing(values: Mapping[str, Any]) -> Timing:
    setting = EngineSetting(str(values["precision"]), int(values["threads"]), int(values["batch_size"]))
    if setting.threads < 1 or setting.batch_size < 1:
        raise ValueError(f"no engine has such a setting: {setting}")
    return Timing(setting, float(values["images_per_s"]))
