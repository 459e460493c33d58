"""The part of the client that concerns batches, and its values."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Literal
from uuid import uuid4

from hangtag.client.connection import Connection
from hangtag.client.values import ModelName
from hangtag.domain.durable import replacing
from hangtag.domain.errors import ServiceError, UsageError
from hangtag.domain.prediction import Label

_PAGE: Final = 200
_FILES_A_REQUEST: Final = 100
_PUSHED_A_REQUEST: Final = 1000
_PAUSE_S: Final = 0.5
_QUIET_S: Final = 60.0
_PASSING: Final = (None, HTTPStatus.SERVICE_UNAVAILABLE)
"""The statuses of a service that is restarting: no response, or busy."""

_USER: Final = "X-Hangtag-User"
_FORMATS: Final = ("csv", "xlsx", "jsonl", "parquet", "tsv")


@dataclass(frozen=True, slots=True)
class Progress:
    """How many photos of a batch have no labels yet, the current speed, and the estimated time left.

    `to_fetch` of them are still to be fetched from the addresses in the sheet.
    """

    waiting: int
    photos_per_s: float | None
    seconds_left: float | None
    to_fetch: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of products. `counts` has the numbers of products by state, and of photos.

    `progress` is None when nothing is left to label.
    """

    id: str
    name: str
    model: ModelName
    state: Literal["receiving", "labelling", "stopped", "ready", "failed"]
    message: str | None
    created: datetime
    updated: datetime
    created_by: str | None
    assigned_to: str | None
    archived: bool
    counts: Mapping[str, int]
    progress: Progress | None

    @property
    def is_labelled(self) -> bool:
        """Whether labelling has ended: all photos are labelled, or it failed or was stopped."""
        return self.state in {"stopped", "ready", "failed"}


@dataclass(frozen=True, slots=True)
class BatchPhoto:
    """A photo of a product. `disagrees` lists the attributes on which it disagrees with the product."""

    id: str
    name: str
    view: str | None
    disagrees: tuple[str, ...]
    error: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class Attribute:
    """A label: the current value, the model's confidence (None if a person set another value), and by whom."""

    value: str
    confidence: float | None
    confident: bool
    state: Literal["predicted", "confirmed", "corrected"]
    by: str | None
    candidates: tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class Product:
    """A product of a batch: its SKU `key`, its photos, one label, and its state."""

    id: str
    key: str | None
    name: str
    row: Mapping[str, Any] | None
    photos: tuple[BatchPhoto, ...]
    label: Mapping[str, Attribute]
    path: tuple[str, ...]
    confident_depth: int
    state: Literal["to_check", "checked", "corrected"]
    needs: Mapping[str, str | None] | None
    flags: tuple[str, ...]
    version: int

    def __getitem__(self, attribute: str) -> Attribute:
        """Return the label of an attribute; `KeyError` if the model has no such head."""
        return self.label[attribute]


@dataclass(frozen=True, slots=True)
class Received:
    """The result for an uploaded file: its kind, the number of its photos, and what was wrong."""

    name: str
    kind: str
    photos: int
    problem: str | None


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision that was made: how many products it changed, and its conflicts with others' decisions."""

    decision: str
    changed: int
    conflicts: tuple[Mapping[str, str | None], ...]


@dataclass(frozen=True, slots=True)
class _BatchPage:
    items: tuple[Batch, ...]
    total: int


@dataclass(frozen=True, slots=True)
class _ProductPage:
    items: tuple[Product, ...]
    total: int


@dataclass(frozen=True, slots=True)
class _ReceivedFiles:
    received: tuple[Received, ...]


@dataclass(frozen=True, slots=True)
class PushedLabel:
    """The outcome of a pushed label: `changed`, `unchanged`, `conflict`, `refused` or `unknown`.

    In a conflict, `by` set `value` meanwhile. `version` is the product's current version.
    """

    product: str | None
    key: str | None
    outcome: Literal["changed", "unchanged", "conflict", "refused", "unknown"]
    version: int | None
    by: str | None
    value: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class _Pushed:
    results: tuple[PushedLabel, ...]


class BatchCalls:
    """The calls of a client for batches. `user` is the person who decides."""

    _connection: Connection
    user: str | None

    def create_batch(self, name: str | None = None, *, model: str | None = None) -> Batch:
        """Create an empty batch."""
        body = {"name": name, "model": model}
        return self._connection.call(Batch, "POST", "/batches", json=body, headers=self._once())

    def batch(self, batch_id: str) -> Batch:
        """Return a batch with its counts."""
        return self._connection.call(Batch, "GET", f"/batches/{batch_id}")

    def batches(self, *, archived: bool = False, offset: int = 0, limit: int = 50) -> list[Batch]:
        """List the batches, most recently changed first."""
        params = {"archived": str(archived).lower(), "offset": offset, "limit": limit}
        return list(self._connection.call(_BatchPage, "GET", "/batches", params=params).items)

    def add_files(self, batch_id: str, files: Sequence[str | Path]) -> list[Received]:
        """Add photos, zips and tables to a batch, a hundred at a time. Once this returns, they are stored durably.

        Raises `OSError` for a file that cannot be read.
        """
        received: list[Received] = []
        for start in range(0, len(files), _FILES_A_REQUEST):
            with ExitStack() as stack:
                form = [
                    ("files", (Path(path).name, stack.enter_context(Path(path).open("rb"))))
                    for path in files[start : start + _FILES_A_REQUEST]
                ]
                answer = self._connection.send(
                    "POST", f"/batches/{batch_id}/files", once=True, files=form, headers=self._once()
                )
            received += self._connection.read(_ReceivedFiles, answer).received
        return received

    def wait_for_batch(
        self,
        batch_id: str,
        on_progress: Callable[[Batch], None] = lambda _batch: None,
        timeout_s: float | None = None,
    ) -> Batch:
        """Wait until all photos of a batch are labelled, and return it. Survives a restart of the service.

        Raises `ServiceError` after `timeout_s`.
        """
        started = heard = time.monotonic()
        while True:
            try:
                batch = self.batch(batch_id)
            except ServiceError as error:
                if error.status not in _PASSING or time.monotonic() - heard > _QUIET_S:
                    raise
            else:
                heard = time.monotonic()
                on_progress(batch)
                if batch.is_labelled:
                    return batch
            if timeout_s is not None and time.monotonic() - started > timeout_s:
                raise ServiceError(f"the batch was not labelled within {timeout_s:g} seconds", where=batch_id)
            time.sleep(_PAUSE_S)

    def iter_products(self, batch_id: str, **filters: Any) -> Iterator[Product]:  # noqa: ANN401 - text or number
        """Yield the products of a batch, fetching one page at a time.

        The filters are `state`, `needs`, `path`, `flag`, `who`, `below`, `q`, `sort`, `descending` and any attribute,
        such as `gender="Women"`.
        """
        usual = {"state", "needs", "path", "flag", "who", "below", "q", "ids", "sort", "descending"}
        params = {
            name if name in usual else f"attribute.{name}": value
            for name, value in filters.items()
            if value is not None
        }
        offset = 0
        while True:
            page = self._connection.call(
                _ProductPage,
                "GET",
                f"/batches/{batch_id}/products",
                params=params | {"offset": offset, "limit": _PAGE},
            )
            yield from page.items
            offset += len(page.items)
            if not page.items or offset >= page.total:
                return

    def decide(self, batch_id: str, products: Sequence[str], **decision: Any) -> Decided:  # noqa: ANN401 - JSON
        """Change products by their ids: `set`, `confirm`, `not_a_product`, `flag`, `move_to`, `delete`...

        `docs/batches.md` explains each of these.
        """
        body = {"products": list(products), **decision}
        return self._connection.call(
            Decided, "POST", f"/batches/{batch_id}/decisions", json=body, headers=self._once()
        )

    def stop_labelling(self, batch_id: str) -> Batch:
        """Stop labelling a batch. Existing labels stay; `resume_labelling` continues with the rest."""
        return self._connection.call(Batch, "PATCH", f"/batches/{batch_id}", json={"labelling": False})

    def resume_labelling(self, batch_id: str) -> Batch:
        """Label the rest of a batch that was stopped or failed."""
        return self._connection.call(Batch, "PATCH", f"/batches/{batch_id}", json={"labelling": True})

    def undo(self, batch_id: str) -> Decided:
        """Undo this user's last decision on a batch."""
        return self._connection.call(Decided, "POST", f"/batches/{batch_id}/undo", headers=self._who())

    def export_batch(
        self,
        batch_id: str,
        path: str | Path,
        *,
        rows: str | None = None,
        template: str | Mapping[str, Any] | None = None,
    ) -> Path:
        """Write the products of a batch to a file, one row per `product` or `photo`. The extension chooses the format.

        With a `template` (its name, or its content), the file has the template's columns, and products that its
        destination would refuse are left out. A failed download leaves no file. Raises `UsageError` for another ending,
        and `OSError` if the file cannot be written.
        """
        target = Path(path)
        format_ = target.suffix.removeprefix(".").lower()
        allowed = _FORMATS if template is None else (*_FORMATS, "xml")
        if format_ not in allowed:
            raise UsageError(f"a batch is written as .{', .'.join(allowed)}", where=target)
        body = {"format": format_, "rows": rows, "template": template}
        with (
            replacing(target) as temporary,
            self._connection.stream("POST", f"/batches/{batch_id}/exports", json=body) as response,
            temporary.open("wb") as file,
        ):
            for piece in response.iter_bytes():
                file.write(piece)
        return target

    def push_labels(self, batch_id: str, items: Sequence[Mapping[str, Any]]) -> list[PushedLabel]:
        """Set labels of products by SKU (`key`) or id (`product`), and return the outcomes, in order.

        An item also has `labels` by attribute, and the `version` of the product that your system saw. Later decisions
        by people are kept; without a version, all of their decisions are.
        """
        results: list[PushedLabel] = []
        for start in range(0, len(items), _PUSHED_A_REQUEST):
            body = {"items": [dict(item) for item in items[start : start + _PUSHED_A_REQUEST]]}
            answer = self._connection.call(
                _Pushed, "POST", f"/batches/{batch_id}/labels", json=body, headers=self._once()
            )
            results += answer.results
        return results

    def delete_batch(self, batch_id: str) -> None:
        """Delete a batch with its products and decisions."""
        self._connection.send("DELETE", f"/batches/{batch_id}")

    def _who(self) -> dict[str, str]:
        return {} if self.user is None else {_USER: self.user}

    def _once(self) -> dict[str, str]:
        """Return headers that make a repeated call take effect only once."""
        return self._who() | {"Idempotency-Key": uuid4().hex}
