"""Lists what an installation of hangtag consists of: `python deploy/bill.py FOLDER` writes sbom.json and licences.md.

The bill of materials (CycloneDX) comes from the lock files of the service and the page, so it needs no network.
Licences are those declared by the installed packages and the page's lock file. With `--audit`, the locked packages are
compared with the known vulnerabilities; the exit status is 1 if there is one, and 0 with a warning if the vulnerability
database cannot be reached.
"""

import argparse
import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
LOCK: Final = ROOT / "requirements" / "serve.txt"
PAGE_LOCK: Final = ROOT / "web" / "package-lock.json"
_UNKNOWN: Final = "unknown"
_CLASSIFIER: Final = "License :: OSI Approved :: "
_LONGEST_NAME: Final = 60
"""A longer value in the old field `License` is the text of a licence, not its name."""


def main() -> int:
    """Write both files; with `--audit`, look for known vulnerabilities."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--audit", action="store_true")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    bill = build_bill()
    (options.folder / "sbom.json").write_text(json.dumps(bill, indent=2) + "\n", encoding="utf-8")
    (options.folder / "licences.md").write_text(render_licences(bill), encoding="utf-8")
    sys.stdout.write(f"{len(bill['components'])} components in {options.folder}\n")
    return audit() if options.audit else 0


def build_bill() -> dict[str, Any]:
    """Return the bill of materials: the packages of the service with their hashes, and the packages of the page."""
    command = ["cyclonedx-py", "requirements", str(LOCK), "--pyproject", str(ROOT / "pyproject.toml")]
    command += ["--output-reproducible", "--output-format", "JSON"]
    command[0] = str(Path(sys.executable).with_name(command[0]))
    made = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own words
    bill: dict[str, Any] = json.loads(made.stdout)
    for component in bill["components"]:
        component.pop("description", None)  # the line of the lock, hashes and all
        component["licenses"] = [{"license": {"name": find_licence(component["name"])}}]
    bill["components"] += list_page_components(json.loads(PAGE_LOCK.read_text(encoding="utf-8")))
    return bill


def find_licence(name: str) -> str:
    """Return the licence that an installed package declares."""
    try:
        declared = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return _UNKNOWN
    old = declared.get("License") or ""
    classes = [line.removeprefix(_CLASSIFIER) for line in declared.get_all("Classifier") or []]
    named = [line for line in classes if not re.search(r" :: ", line)]
    short = old if 0 < len(old) <= _LONGEST_NAME and "\n" not in old else ""
    return declared.get("License-Expression") or short or ", ".join(named) or _UNKNOWN


def list_page_components(lock: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the packages that the page is built with. The build takes what it uses from each."""
    found = []
    for path, package in sorted(lock["packages"].items()):
        name = path.rpartition("node_modules/")[2]
        if not name or "version" not in package or package.get("optional"):
            continue
        reference = f"pkg:npm/{name.replace('@', '%40')}@{package['version']}"
        licence = package.get("license", _UNKNOWN)
        found.append(
            {
                "bom-ref": f"{reference}#{path}",
                "type": "library",
                "name": name,
                "version": package["version"],
                "purl": reference,
                "licenses": [{"license": {"name": licence}}],
            }
        )
    return found


def render_licences(bill: dict[str, Any]) -> str:
    """Return the components of a bill as a Markdown table, sorted by name."""
    rows = sorted(
        (part["name"].lower(), part["version"], part["licenses"][0]["license"]["name"])
        for part in bill["components"]
    )
    lines = [f"| {name} | {version} | {licence} |" for name, version, licence in dict.fromkeys(rows)]
    return "\n".join(["# Licences", "", "| package | version | licence |", "|---|---|---|", *lines, ""])


def audit() -> int:
    """Report known vulnerabilities of the locked packages; 1 if there is one."""
    command = [str(Path(sys.executable).with_name("pip-audit")), "--requirement", str(LOCK), "--disable-pip"]
    command += ["--no-deps", "--format", "json", "--progress-spinner", "off"]
    made = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - our own words
    try:
        packages = json.loads(made.stdout)["dependencies"]
    except (ValueError, KeyError):
        sys.stderr.write(f"warning: the vulnerability database cannot be reached\n{made.stderr[-500:]}\n")
        return 0
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    if unknown:
        sys.stderr.write(f"warning: {len(unknown)} of {len(packages)} packages could not be looked up\n")
    bad = [(package["name"], known["id"]) for package in packages for known in package.get("vulns", [])]
    for name, vulnerability in bad:
        sys.stderr.write(f"{name}: {vulnerability}\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
