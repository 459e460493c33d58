"""The manifest of a job, stored as `_job.json` with its rows: what it writes and what its predictions depend on.

Rows from different models or settings never mix in one table.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import Enum, auto
from pathlib import Path
from typing import Any, Final

from hangtag import __version__
from hangtag.bundle.card import QUANTISED_PRECISION
from hangtag.bundle.card_json import card_values
from hangtag.domain.durable import replacing
from hangtag.domain.errors import UsageError
from hangtag.inference.model import Model
from hangtag.labelling.outputs import Layout, Output
from hangtag.tables.cells import TEXT_KINDS


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The SHA-256 of the models' files, the precision that each really uses, and the columns of the table.

    A model's file includes its preprocessing, thresholds and taxonomy. `columns` are the kinds of the columns by name,
    and `top_k` is the number of candidates.
    """

    models: Mapping[str, str]
    precisions: Mapping[str, str]
    top_k: int
    columns: Mapping[str, str]

    @classmethod
    def of(cls, models: Mapping[str, Model], layout: Layout) -> "Fingerprint":
        """Return the fingerprint of a job that writes this layout with these models, given by name."""
        return cls(
            {name: model.sha256 for name, model in models.items()},
            {name: _describe_precision(model) for name, model in models.items()},
            layout.top_k,
            {
                name: "text" if kind in TEXT_KINDS else kind.name.lower()
                for name, kind in layout.kinds.items()
            },
        )

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Fingerprint":
        """Build from the result of `to_json`. Raises `TypeError` or `ValueError` for anything else."""
        found = cls(**values)
        for texts in (found.models, found.precisions, found.columns):
            if not (isinstance(texts, dict) and all(isinstance(text, str) for text in texts.values())):
                raise TypeError(texts)
        if found.models.keys() != found.precisions.keys() or not isinstance(found.top_k, int):
            raise ValueError(values)
        return found

    @property
    def sha256(self) -> str:
        """A hash of all fields, in hexadecimal."""
        return hashlib.sha256(json.dumps(self.to_json()).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)

    def describe_changes(self, now: "Fingerprint") -> list[str]:
        """Return how `now` differs, as clauses; empty if it does not."""
        changes = []
        if list(self.models) != list(now.models):
            changes.append(f"the models were {', '.join(self.models)} and are now {', '.join(now.models)}")
        for name in self.models.keys() & now.models.keys():
            before, after = self.models[name], now.models[name]
            if before != after:
                changes.append(
                    f"the file of model {name} has changed (SHA-256 {before[:12]}… to {after[:12]}…)"
                )
            elif self.precisions[name] != now.precisions[name]:
                changes.append(
                    f"model {name} ran in {self.precisions[name]} and would now run in {now.precisions[name]}"
                )
        if self.top_k != now.top_k:
            changes.append(f"`top_k` was {self.top_k} and is now {now.top_k}")
        elif not changes and list(self.columns.items()) != list(now.columns.items()):
            changes.append(_describe_columns(self.columns, now.columns))
        return changes


def _describe_precision(model: Model) -> str:
    """Return the precision of a model. An int8 form is a file of its own, so it is named as well."""
    precision = model.engine.precision
    if precision != QUANTISED_PRECISION:
        return precision
    card = json.dumps(card_values(model.engine.card), sort_keys=True)
    return f"{precision} of {hashlib.sha256(card.encode()).hexdigest()[:12]}…"


def _describe_columns(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    gone = [name for name in before if name not in after]
    new = [name for name in after if name not in before]
    said = [f"{verb} {', '.join(names)}" for verb, names in (("lost", gone), ("gained", new)) if names]
    return (
        f"the table has {' and '.join(said)}"
        if said
        else "the columns of the table have a different order or type"
    )


MANIFEST: Final = "_job.json"

_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """A job: what its predictions depend on, its inputs as named, and whether every photo has its rows."""

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
            text = json.dumps(values, indent=2)  # ASCII, as an input's name may not be UTF-8
            temporary.write_text(text + "\n", encoding="ascii")

    def finish(self, folder: Path) -> None:
        """Record that every photo has its rows."""
        replace(self, is_finished=True).write(folder)


def has_manifest(folder: Path) -> bool:
    """Return whether a folder holds a job."""
    return (folder / MANIFEST).exists()


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest in a job's folder. Raises `UsageError` for an invalid one."""
    try:
        return _from_json(json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            "this file does not describe a job that this version of hangtag can resume",
            where=folder / MANIFEST,
            fix="Start again with `restart`.",
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


ROWS_A_PART: Final = 100_000


class Start(Enum):
    """What to do if there is already a job for this output."""

    NEW = auto()
    """Replace the table of a finished job. Refuse to lose an unfinished one, or a folder of parts."""
    RESUME = auto()
    """Label the photos that have no row."""
    RETRY = auto()
    """Label the photos that have no row, and those that failed."""
    RESTART = auto()
    """Delete the rows of the earlier job."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a job writes, and what its answers depend on. `inputs` are as the user named them."""

    output: Output
    layout: Layout
    fingerprint: Fingerprint
    inputs: Sequence[str]
    start: Start = Start.NEW
    rows_a_part: int = ROWS_A_PART

    @property
    def folder(self) -> Path:
        """The folder of the job's rows."""
        path = self.output.path.resolve()
        return path if self.output.is_folder else path.with_name(f".{path.name}.job")

    @property
    def resumes(self) -> bool:
        """Whether the rows of an earlier run are kept."""
        return self.start in {Start.RESUME, Start.RETRY}
