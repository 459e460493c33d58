"""OpenVINO, loaded once and without its model converter, and the number of processors available to this process."""

import os
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

import numpy as np

EXACT_CONVOLUTIONS: Final = 3
"""How many convolutions, counted from the input, stay in float32 if the rest runs in bf16.

Nearly all of the error of bf16 starts there. On the shipped model (decision 0002), keeping three convolutions of 49 in
float32 more than halves the error and costs a few percent of the speed.
"""

PRECISION_NAMES: Final = {"f32": "fp32", "bf16": "bf16", "f16": "fp16"}
"""OpenVINO's number types, and hangtag's names for them."""

_FLOAT32: Final = "f32"
_CONVERTER: Final = "openvino.tools.ovc"
_CONVOLUTIONS: Final = frozenset({"Convolution", "GroupConvolution"})


@cache
def load_runtime() -> Any:  # noqa: ANN401 - OpenVINO has no types
    """Return OpenVINO's `Core`, shared by all engines.

    `import openvino` also loads a model converter, which hangtag does not use. It doubles the import time and loads a
    telemetry client. OpenVINO works without it, so its import is blocked here.
    """
    hidden = _CONVERTER not in sys.modules
    if hidden:
        sys.modules[_CONVERTER] = None  # type: ignore[assignment]  # None is how Python is told not to import
    try:
        import openvino  # noqa: PLC0415 - it takes longer than all of hangtag, and only an engine needs it
    finally:
        if hidden:
            del sys.modules[_CONVERTER]
    return openvino.Core()


def preferred_precision() -> str:
    """Return the precision that OpenVINO would choose on this processor: `fp32`, `bf16` or `fp16`."""
    name = str(load_runtime().get_property("CPU", "INFERENCE_PRECISION_HINT").get_type_name())
    return PRECISION_NAMES.get(name, name)


def read_graph(model: bytes, precision_hint: str | None) -> Any:  # noqa: ANN401 - OpenVINO has no types
    """Return the graph of an ONNX model, ready to compile.

    `precision_hint` is OpenVINO's name for a number type, or None for the processor's preference. Unless it is float32,
    the first convolutions are marked to stay in float32. Raises `RuntimeError` if OpenVINO cannot read the model.
    """
    core = load_runtime()
    graph = core.read_model(model)
    hint = precision_hint or core.get_property("CPU", "INFERENCE_PRECISION_HINT").get_type_name()
    return graph if hint == _FLOAT32 else keep_first_layers_exact(core, graph)


def keep_first_layers_exact(core: Any, graph: Any) -> Any:  # noqa: ANN401 - OpenVINO has no types
    """Return the graph with its first convolutions marked to run in float32, whatever the rest uses.

    OpenVINO reads these marks only from its own file format, so the graph is written to it and read back, in about 40
    ms.
    """
    import openvino  # noqa: PLC0415 - loaded already by whoever has a graph

    with tempfile.TemporaryDirectory(prefix="hangtag-") as folder:
        structure, weights = Path(folder) / "graph.xml", Path(folder) / "graph.bin"
        openvino.serialize(graph, structure, weights)
        root = ET.fromstring(structure.read_bytes())  # noqa: S314 - OpenVINO wrote it a moment ago
        values = np.fromfile(weights, np.uint8)
    convolutions = [layer for layer in root.iter("layer") if layer.get("type") in _CONVOLUTIONS]
    for layer in convolutions[:EXACT_CONVOLUTIONS]:
        ET.SubElement(_marks(layer), "attribute", name="precise", version="0")
    return core.read_model(ET.tostring(root), openvino.Tensor(values))


def _marks(layer: ET.Element) -> ET.Element:
    found = layer.find("rt_info")
    if found is None:
        found = ET.Element("rt_info")
        layer.insert(
            1 if layer.find("data") is not None else 0, found
        )  # the format requires it after the data
    return found


_CGROUPS: Final = Path("/sys/fs/cgroup")
_OWN_CGROUP: Final = Path("/proc/self/cgroup")


def count_usable_cpus(cgroups: Path = _CGROUPS, own_cgroup: Path = _OWN_CGROUP) -> int:
    """Return how many threads can really run at once, at least 1.

    `os.cpu_count` counts the machine's processors. A container limited to two of 64 processors that starts 64 threads
    is paused by the kernel for most of every tenth of a second.
    """
    quotas = [_read_quota(folder) for folder in _iter_cgroup_folders(cgroups, own_cgroup)]
    limits = [max(1, int(quota)) for quota in quotas if quota is not None]
    return min([_count_allowed(), *limits])


def _count_allowed() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _iter_cgroup_folders(cgroups: Path, own_cgroup: Path) -> list[Path]:
    """Return the cgroup folders (v1 and v2) that may limit this process: its own groups and their parents."""
    folders = []
    for line in _read_text(own_cgroup).splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0":  # version 2: one tree for everything
            folders += _upwards(cgroups, path)
        elif "cpu" in controllers.split(","):  # version 1: one tree per controller or group of them
            folders += _upwards(cgroups / controllers, path)
            folders += _upwards(cgroups / "cpu", path)
    # Inside a container the paths are often the host's, and only the roots are visible.
    return [*dict.fromkeys([*folders, cgroups, cgroups / "cpu", cgroups / "cpu,cpuacct"])]


def _upwards(root: Path, path: str) -> list[Path]:
    own = Path(path.lstrip("/"))
    return [root / folder for folder in (own, *own.parents)]


def _read_quota(folder: Path) -> float | None:
    """Return how many processors a cgroup may use; None if it has no limit."""
    words = _read_text(folder / "cpu.max").split() or [
        *_read_text(folder / "cpu.cfs_quota_us").split(),
        *_read_text(folder / "cpu.cfs_period_us").split(),
    ]
    try:
        quota, period = (float(word) for word in words)
    except ValueError:  # "max", or missing files
        return None
    return quota / period if quota > 0 and period > 0 else None


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ""
