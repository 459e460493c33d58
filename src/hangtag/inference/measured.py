"""What `hangtag bench` measured on this machine, kept in a small JSON file of this user.

An entry counts for one processor, one model and one version of hangtag; whatever else is asked for, there is none. The
file holds no more than figures: without it everything works as it does before the first `hangtag bench`.
"""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from hangtag import __version__
from hangtag.domain.durable import replacing
from hangtag.inference.choice import EngineSetting, Timing
from hangtag.inference.cpus import count_usable_cpus
from hangtag.inference.runtime import load_runtime

FILE_VARIABLE: Final = "HANGTAG_BENCH"
"""The environment variable that names the file; `none` keeps nothing and uses nothing."""

NO_FILE: Final = "none"
FORMS_NAME: Final = "int8.json"
_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Host:
    """What the speed of a model depends on: the processor's name and abilities, how many of them, hangtag's version."""

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
"""What timings count for: a machine, and the SHA-256 of a model's files."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The timings of one model. `model` and `int8` are the SHA-256 of its files; `int8` is empty without one."""

    host: Host
    model: str
    int8: str
    timings: Sequence[Timing]

    @property
    def key(self) -> Key:
        """What the timings count for."""
        return (self.host, self.model, self.int8)


def measurements_file(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return where measurements are kept: what `HANGTAG_BENCH` names, or else the user's cache; None for nowhere."""
    named = environment.get(FILE_VARIABLE, "")
    if named:
        return None if named == NO_FILE else Path(named)
    cache = environment.get("XDG_CACHE_HOME", "")
    if cache:
        return Path(cache) / "hangtag" / "bench.json"
    try:
        return Path.home() / ".cache" / "hangtag" / "bench.json"
    except RuntimeError:  # a user without a home
        return None


def recall(path: Path, key: Key) -> Measured | None:
    """Return what was measured of a model on a host, None when nothing was. A broken file holds nothing."""
    return next((entry for entry in _read(path) if entry.key == key), None)


def remember(path: Path, measured: Measured) -> None:
    """Keep a measurement in place of an older one of the same. The file is whole at every moment.

    Raises `OSError` when it cannot be written.
    """
    kept = [entry for entry in _read(path) if entry.key != measured.key]
    entries = [_entry_values(entry) for entry in [*kept, measured]]
    path.parent.mkdir(parents=True, exist_ok=True)
    written = datetime.now(UTC).isoformat(timespec="seconds")
    text = json.dumps({"format": _FORMAT, "written": written, "entries": entries}, indent=2)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def forms_file(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return where it is kept where int8 forms lie that are not beside their models: beside the measurements."""
    path = measurements_file(environment)
    return None if path is None else path.with_name(FORMS_NAME)


def remember_form(path: Path, source_graph: str, form: Path) -> None:
    """Keep where the int8 form of a graph lies, by the SHA-256 of the graph. Raises `OSError`."""
    forms = {**_read_forms(path), source_graph: str(form.resolve())}
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(forms, indent=2) + "\n", encoding="utf-8")


def recall_forms(path: Path | None, source_graph: str) -> list[Path]:
    """Return where the int8 form of a graph was said to lie. A broken file holds nothing."""
    found = None if path is None else _read_forms(path).get(source_graph)
    return [] if found is None else [Path(found)]


def _read_forms(path: Path) -> dict[str, str]:
    with suppress(OSError, ValueError):
        values = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(values, dict):
            return {key: value for key, value in values.items() if isinstance(value, str)}
    return {}


def forget(path: Path) -> bool:
    """Remove the file with all measurements; False when there was none."""
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
