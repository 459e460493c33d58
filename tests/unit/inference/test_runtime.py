import subprocess
import sys

SCRIPT = """
import sys
{before}
from hangtag.inference.runtime import load_runtime
core = load_runtime()
assert load_runtime() is core
print('CPU' in core.available_devices, 'openvino.tools.ovc' in sys.modules, 'openvino_telemetry' in sys.modules)
{after}
"""


def run(before="", after=""):
    script = SCRIPT.format(before=before, after=after)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout


def test_openvino_comes_without_its_converter():
    assert run() == "True False False\n"


def test_whoever_wants_the_converter_can_still_have_it():
    assert run(after="from openvino.tools.ovc import convert_model\nprint(callable(convert_model))").endswith(
        "True\n"
    )


def test_an_openvino_that_is_loaded_already_is_left_as_it_is():
    assert run(before="import openvino; assert openvino.convert_model").startswith("True True True")
