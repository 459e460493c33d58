"""`_job.json`: what a job is, beside its rows."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from hangtag import __version__
from hangtag.domain.durable import replacing
from hangtag.domain.errors import UsageError
from hangtag.labelling.fingerprint import Fingerprint

MANIFEST: Final = "_job.json"

_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """A job: what its answers depend on, its inputs as they were named, and whether every photo has its rows."""

    fingerprint: Fingerprint
    inputs: Sequence[str]
    is_finished: bool = False

    def write(self, folder: Path) -> None:
        """Write it into a job's folder, whole or not at all."""
        values = {
            "format": _FORMAT,
            "hangtag": __version__,
            "state": "finished" if self.is_finished else "begun",
            "fingerprint": self.fingerprint.sha256,
            "depends_on": self.fingerprint.to_json(),
            "inputs": list(self.inputs),
        }
        with replacing(folder / MANIFEST) as temporary:
            text = json.dumps(values, indent=2)  # in ASCII: an input's name may not be UTF-8
            temporary.write_text(text + "\n", encoding="ascii")

    def finish(self, folder: Path) -> None:
        """Write down that every photo has its rows."""
        replace(self, is_finished=True).write(folder)


def has_manifest(folder: Path) -> bool:
    """Say whether a folder is that of a job."""
    return (folder / MANIFEST).exists()


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a job's folder. Raises `UsageError` for one that cannot be understood."""
    try:
        return _from_json(json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            "this file does not describe a job that this version of hangtag can resume",
            where=folder / MANIFEST,
            fix="Start again with --restart.",
        ) from error


def remove_manifest(folder: Path) -> None:
    """Remove the manifest, if there is one."""
    (folder / MANIFEST).unlink(missing_ok=True)


def _from_json(values: Mapping[str, Any]) -> Manifest:
    if values["format"] != _FORMAT:
        raise ValueError(values["format"])
    fingerprint, inputs = Fingerprint.from_json(values["depends_on"]), values["inputs"]
    if not (isinstance(inputs, list) and all(isinstance(name, str) for name in inputs)):
        raise TypeError(inputs)
    return Manifest(fingerprint, tuple(inputs), values["state"] == "finished")
