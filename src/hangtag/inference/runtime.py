"""OpenVINO, loaded once and without its model converter."""

import sys
from functools import cache
from typing import Any, Final

_CONVERTER: Final = "openvino.tools.ovc"


@cache
def load_runtime() -> Any:  # noqa: ANN401 - OpenVINO has no types
    """Return OpenVINO's `Core`, of which one serves all engines.

    `import openvino` also loads a model converter, which nothing here needs: it takes twice as long as all the rest,
    and brings a telemetry client into the process. OpenVINO works without its converter, so it is not let in here.
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
