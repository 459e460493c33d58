"""The shape of the code: what lint and import contracts do not see."""

import ast
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "hangtag"
BASE = (
    "domain",
    "imaging",
    "bundle",
    "tables",
    "datasets",
    "catalogue",
    "inference",
    "evaluation",
    "labelling",
    "cli",
)
TRAINING_ONLY = ("torch", "timm", "torchvision", "matplotlib", "sklearn", "scipy", "safetensors")
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "processor", "legacy"}
PICKLERS = {"pickle", "cloudpickle", "joblib", "dill", "shelve"}
LONGEST_FUNCTION = 50
LONGEST_FILE = 400

FILES = sorted(SOURCE.rglob("*.py"))


def iter_functions():
    """Yield every function with where it stands."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path.relative_to(SOURCE)}: {node.name}", node


def test_names_say_what_is_inside():
    words = {path: set(re.split(r"[/_]", str(path.relative_to(SOURCE).with_suffix("")))) for path in FILES}
    assert [path for path in FILES if words[path] & VAGUE] == []


def test_files_stay_readable():
    assert [path for path in FILES if path.read_text("utf-8").count("\n") > LONGEST_FILE] == []


def test_functions_stay_readable():
    # From the first statement on: the signature of a command describes its options and may be long.
    lengths = {where: node.end_lineno - node.body[0].lineno + 1 for where, node in iter_functions()}
    assert {where: length for where, length in lengths.items() if length > LONGEST_FUNCTION} == {}


def test_nothing_is_pickled():
    imported = {
        (str(path.relative_to(SOURCE)), alias.name.partition(".")[0])
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert [(path, name) for path, name in imported if name in PICKLERS] == []


def test_the_base_install_needs_nothing_that_trains():
    """Import every module of the base with what only training needs made unimportable."""
    modules = [
        ".".join(("hangtag", *path.relative_to(SOURCE).with_suffix("").parts))
        for path in FILES
        if path.relative_to(SOURCE).parts[0] in BASE and path.stem != "__init__"
    ]
    assert len(modules) > len(BASE)
    script = (
        "import importlib, sys\n"
        f"sys.modules.update(dict.fromkeys({(*TRAINING_ONLY, 'ray')}))\n"
        f"for name in {modules}: importlib.import_module(name)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
