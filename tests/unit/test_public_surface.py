import subprocess
import sys

import pytest

import hangtag


def test_the_public_names():
    assert hangtag.__all__ == ["Failure", "Flag", "Label", "Model", "Outcome", "Prediction", "load_model"]


def test_every_public_name_exists():
    for name in hangtag.__all__:
        assert getattr(hangtag, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = hangtag.nonsense


def test_importing_hangtag_imports_nothing_else():
    script = "import sys; import hangtag; print([name for name in sys.modules if name.startswith('hangtag')])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "['hangtag']\n"
    script = "import sys; import hangtag; print('numpy' in sys.modules, 'openvino' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"
