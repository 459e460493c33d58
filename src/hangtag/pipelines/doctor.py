"""Checking an installation: its packages, runtime, model and decoders, with a fix for each problem."""

import importlib
import io
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final, Literal

from hangtag import __version__
from hangtag.bundle.file import DEFAULT_NAME, FOLDERS_VARIABLE, find_bundle, list_bundles
from hangtag.domain.errors import HangtagError
from hangtag.domain.text import render_count

Level = Literal["ok", "warning", "error"]
"""An error keeps hangtag from working. A warning is a risk, or something that works less well than it could."""

_OLDEST_PYTHON: Final = (3, 11)
_IMPORTED_AS: Final = {
    "pillow": "PIL",
    "python-calamine": "python_calamine",
    "python-multipart": "python_multipart",
    "prometheus-client": "prometheus_client",
    "pydantic-settings": "pydantic_settings",
    "argon2-cffi": "argon2",
}
_REINSTALL: Final = "Replace the file if you made it; otherwise reinstall hangtag."
_OPTIONAL: Final = frozenset({"simplejpeg"})
_REQUIREMENT: Final = re.compile(r"([\w.-]+)(?:\[[\w,-]+\])?\s*(?:>=([\d.]+))?")
_EXTRA: Final = re.compile(r"extra\s*==\s*['\"]([\w-]+)['\"]")


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check: its level, a message, and a fix if something is wrong."""

    check: str
    level: Level
    message: str
    fix: str | None = None


def diagnose(model: str = DEFAULT_NAME, environment: Mapping[str, str] | None = None) -> list[Finding]:
    """Return the findings about the installation, the runtime, the model and the decoders, in this order.

    `environment` names the folders of other models; by default, it is that of the process. If a check itself fails,
    this becomes an error among the findings, and the other checks still run.
    """
    import os

    known = os.environ if environment is None else environment
    return [
        *run_check("Python", _check_python),
        *run_check("packages", lambda: check_packages("")),
        *run_check("runtime", _check_runtime),
        *run_check("model", lambda: _check_model(model, known)),
        *run_check("other models", lambda: _check_other_models(model, known)),
        *run_check("decoders", _check_decoders),
    ]


def run_check(name: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Yield the findings of a check. If the check itself fails, that becomes a finding, too."""
    try:
        yield from check()
    except HangtagError as error:
        where = "" if error.where is None else f"{error.where}: "
        yield Finding(name, "error", f"{where}{error.problem}", error.fix or _REINSTALL)
    except Exception as error:  # noqa: BLE001 - whatever is broken here is what the caller wants to hear of
        yield Finding(name, "error", f"{type(error).__name__}: {error}", _REINSTALL)


def _check_python() -> Iterator[Finding]:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < _OLDEST_PYTHON:
        yield Finding("Python", "error", f"Python {found} is too old", "Install Python 3.11 or newer.")
    else:
        yield Finding("Python", "ok", f"hangtag {__version__} on Python {found}")


def check_packages(extra: str) -> Iterator[Finding]:
    """Import every package that the base, or an extra, requires, and compare its version with the oldest allowed."""
    name = f"extra {extra}" if extra else "packages"
    install = f"pip install 'hangtag[{extra}]'" if extra else "pip install hangtag"
    broken, whole = [], 0
    for package, oldest in _iter_requirements(extra):
        problem = _find_problem(package, oldest)
        if problem is None:
            whole += 1
        elif package in _OPTIONAL:
            yield Finding(name, "warning", f"{problem}; JPEGs decode more slowly", f"Run `{install}`.")
        else:
            broken.append(problem)
    if broken:
        yield Finding(name, "error", "; ".join(broken), f"Run `{install}` again.")
    elif not whole:
        yield Finding(
            name, "warning", "the installed package has no list of requirements", f"Run `{install}` again."
        )
    else:
        yield Finding(name, "ok", f"{render_count(whole, 'package', 'packages')} installed")


def _iter_requirements(extra: str) -> Iterator[tuple[str, str]]:
    """Yield the packages of the base or an extra with the oldest version that they may have, empty for any."""
    for requirement in metadata.requires("hangtag") or []:
        wanted, _, marker = requirement.partition(";")
        of_extra = _EXTRA.search(marker)
        matched = _REQUIREMENT.match(wanted.strip())
        if matched and (of_extra.group(1) if of_extra else "") == extra and matched[1] != "hangtag":
            yield matched[1].lower(), matched[2] or ""


def _find_problem(package: str, oldest: str) -> str | None:
    try:
        # The check of the runtime loads OpenVINO. Importing it directly would load a telemetry client.
        if package != "openvino":
            importlib.import_module(_IMPORTED_AS.get(package, package.replace("-", "_")))
        found = metadata.version(package)
    except (ImportError, OSError) as error:
        kind = (
            "is not installed" if isinstance(error, ModuleNotFoundError) else f"cannot be imported ({error})"
        )
        return f"{package} {kind}"
    too_old = oldest and _numbers(found) < _numbers(oldest)
    return f"{package} {found} is older than {oldest}" if too_old else None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("+")[0])[:3])


def _check_runtime() -> Iterator[Finding]:
    from hangtag.inference.runtime import count_usable_cpus, load_runtime, preferred_precision

    core = load_runtime()
    processor = str(core.get_property("CPU", "FULL_DEVICE_NAME")).strip()
    cpus = render_count(count_usable_cpus(), "processor", "processors")
    version = metadata.version("openvino")
    yield Finding("runtime", "ok", f"OpenVINO {version}: {processor}, {cpus}, {preferred_precision()}")


def _check_model(name: str, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Load a model, which runs its golden check, and label a sample photo."""
    from hangtag.imaging.samples import read_sample_files
    from hangtag.inference.model import load_model

    path = find_bundle(name, environment)
    started = time.perf_counter()
    model = load_model(path)
    loaded_s = time.perf_counter() - started
    photo = next(iter(read_sample_files().values()))
    outcome = model.predict(photo)
    if any(reason is not None for reason in outcome.reasons):
        yield Finding("model", "error", f"{path}: the sample photo got no label", "Reinstall hangtag.")
        return
    card = model.card
    message = (
        f"{card.name} {card.version} ({model.engine.precision}), loaded and verified in {loaded_s:.1f} s"
    )
    yield Finding("model", "ok", message)


def _check_other_models(default: str, environment: Mapping[str, str]) -> Iterator[Finding]:
    import os

    from hangtag.bundle.file import read_card

    for folder in filter(None, environment.get(FOLDERS_VARIABLE, "").split(os.pathsep)):
        if not Path(folder).is_dir():
            problem = f"{folder}: this folder does not exist"
            yield Finding("other models", "warning", problem, f"Correct {FOLDERS_VARIABLE}.")
    readable = 0
    for path in list_bundles(environment):
        if path.stem == default:
            continue
        try:
            read_card(path)
            readable += 1
        except (HangtagError, OSError) as error:
            problem = error.problem if isinstance(error, HangtagError) else str(error)
            yield Finding("other models", "warning", f"{path}: {problem}", "Replace or remove the file.")
    if readable:
        yield Finding("other models", "ok", render_count(readable, "more model", "more models"))


def _check_decoders() -> Iterator[Finding]:
    """Write a small image in every format that hangtag reads, and read it with the decoder of the service."""
    from PIL import Image

    from hangtag.domain.errors import PhotoError
    from hangtag.imaging.decode import READABLE_FORMATS, decode_photo

    drawn, missing = Image.new("RGB", (32, 32), (200, 30, 40)), []
    for name in READABLE_FORMATS:
        file = io.BytesIO()
        try:
            drawn.save(file, name)
            decode_photo(file.getvalue())
        except (PhotoError, OSError, KeyError):  # Pillow has no encoder, or the decoder fails
            missing.append(name)
    if missing:
        fix = "Run `pip install --force-reinstall pillow`; a Pillow from the system's packages may lack them."
        yield Finding("decoders", "error", f"not readable here: {', '.join(missing)}", fix)
    else:
        yield Finding("decoders", "ok", ", ".join(READABLE_FORMATS))
