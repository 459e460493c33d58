"""The messages of webhooks: derived from changes, sent by one process at a time, retried until they arrive.

Changes of a batch need no extra record: every change raises the batch's revision, and each webhook stores the revision
it was told last. The rest becomes a message in the transaction that moves the webhook's position. So a process may end
at any moment; no change is lost, and none is in two messages.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import Connection, Engine, delete, exists, insert, or_, select, update
from sqlalchemy import Row as DatabaseRow

from hangtag.store.changes import Cursor, read_changed
from hangtag.store.database import writing
from hangtag.store.export_tables import DeliveryRow, WebhookBatchRow, WebhookRow
from hangtag.store.store import now
from hangtag.store.tables import BatchRow, ProductRow

CHANGED: Final = "products.changed"
READY: Final = "batch.ready"
DELETED: Final = "batch.deleted"
TEST: Final = "test"
EVENTS: Final = (CHANGED, READY, DELETED)
"""The events that a webhook can subscribe to. `test` is sent to any."""

PRODUCTS_A_MESSAGE: Final = 100
KEPT: Final = timedelta(days=30)
"""How long the log of deliveries is kept."""

_LEASE: Final = timedelta(seconds=45)
_BACK_OFF_S: Final = (5, 30, 120, 600, 3_600, 3 * 3_600, 6 * 3_600, 12 * 3_600, 24 * 3_600)
ATTEMPTS: Final = len(_BACK_OFF_S) + 1
"""The largest number of attempts to send a message, over two days."""

_OTHERS_WAIT_S: Final = 60
_LARGEST: Final = 2**62
_WEBHOOKS: Final = WebhookRow.__table__.columns


@dataclass(frozen=True, slots=True)
class Message:
    """A message to send now: its delivery, its address, and the secrets that sign it."""

    number: int
    id: str
    webhook: int
    url: str
    secrets: tuple[str, ...]
    body: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of sending a message: the status of the response, or why there was none.

    `pause_s` is how long the receiver asks to wait. `is_gone`: it wants no more messages.
    """

    status: int | None
    problem: str | None
    took_ms: int
    pause_s: float = 0.0
    is_gone: bool = False


class Outbox:
    """Creates messages from changes, and leases them for sending. Thread-safe; services may share a database.

    `jitter` spreads retries: it takes the seconds of a pause and returns the seconds to wait.
    """

    def __init__(self, engine: Engine, jitter: Callable[[float], float] = lambda seconds: seconds) -> None:
        self._engine = engine
        self._jitter = jitter

    def collect(self) -> int:
        """Create messages for changes that webhooks have not been told, and return how many."""
        made = 0
        with self._engine.connect() as connection:
            behind = _find_behind(connection)
        for webhook, batch in behind:
            with writing(self._engine) as connection:
                made += self._write_messages(connection, webhook, batch)
        return made

    def _write_messages(self, connection: Connection, number: int, batch_id: str) -> int:
        """Create the messages about a batch. The webhook's row is locked, so that no other service creates them too."""
        wanted = select(*_WEBHOOKS).where(WebhookRow.number == number).with_for_update()
        webhook = connection.execute(wanted).first()
        if webhook is None or webhook.disabled:
            return 0
        own = (WebhookBatchRow.webhook == number) & (WebhookBatchRow.batch == batch_id)
        told = connection.execute(select(*WebhookBatchRow.__table__.columns).where(own)).first()
        batch = connection.execute(select(*BatchRow.__table__.columns).where(BatchRow.id == batch_id)).first()
        if batch is None:
            connection.execute(delete(WebhookBatchRow).where(own))
            if told is None or DELETED not in webhook.events:
                return 0
            enqueue(connection, number, DELETED, {"batch": {"id": batch_id}})
            return 1
        made = 0
        since = None if told is None else Cursor(told.rebuilt, told.revision, told.product)
        last = None
        if CHANGED in webhook.events:
            data, last = _read_news(connection, batch, since)
            if data is not None:
                enqueue(connection, number, CHANGED, data)
                made += 1
        is_ready = batch.state == "ready" and (told is None or told.state != "ready")
        if is_ready and last is None and READY in webhook.events:
            enqueue(connection, number, READY, {"batch": _describe_batch(batch)})
            made += 1
        move(connection, number, batch, last, told)
        return made

    def list_due(self) -> list[int]:
        """Return the numbers of the webhooks that have a message due."""
        statement = (
            select(DeliveryRow.webhook)
            .join(WebhookRow, WebhookRow.number == DeliveryRow.webhook)
            .where(WebhookRow.disabled.is_(None), *_is_due())
            .distinct()
        )
        with self._engine.connect() as connection:
            return list(connection.execute(statement).scalars())

    def lease(self, webhook: int) -> Message | None:
        """Lease the next message of a webhook, so that no other process sends it; None if there is none."""
        with writing(self._engine) as connection:
            found = connection.execute(
                select(DeliveryRow.number, DeliveryRow.id, DeliveryRow.payload, DeliveryRow.attempts)
                .where(DeliveryRow.webhook == webhook, *_is_due())
                .order_by(DeliveryRow.event != TEST, DeliveryRow.number)
                .limit(1)
                .with_for_update(skip_locked=True)
            ).first()
            if found is None:
                return None
            target = connection.execute(select(*_WEBHOOKS).where(WebhookRow.number == webhook)).one()
            values = {"leased": now() + _LEASE, "attempts": found.attempts + 1, "tried": now()}
            connection.execute(update(DeliveryRow).where(DeliveryRow.number == found.number).values(**values))
        keys = (target.secret, *_previous(target))
        return Message(found.number, found.id, webhook, target.url, keys, found.payload, found.attempts + 1)

    def record(self, message: Message, outcome: Outcome) -> bool:
        """Record the outcome of a message, and when it is tried again. Return whether it arrived."""
        arrived = outcome.problem is None
        values: dict[str, Any] = {
            "leased": None,
            "status": outcome.status,
            "problem": outcome.problem,
            "took_ms": outcome.took_ms,
        }
        pause = timedelta(seconds=max(outcome.pause_s, self._pause(message.attempt)))
        is_last = message.attempt >= ATTEMPTS or outcome.is_gone
        if arrived or is_last:
            values["state"] = "delivered" if arrived else "failed"
        else:
            values["due"] = now() + pause
        with writing(self._engine) as connection:
            connection.execute(
                update(DeliveryRow).where(DeliveryRow.number == message.number).values(**values)
            )
            if arrived:
                return True
            self._delay_others(connection, message, pause)
            if is_last:
                _turn_off(connection, message, outcome)
        return False

    def remove_old(self) -> None:
        """Remove deliveries that are older than the log goes back."""
        old = (DeliveryRow.state != "waiting") & (DeliveryRow.created < now() - KEPT)
        with writing(self._engine) as connection:
            connection.execute(delete(DeliveryRow).where(old))

    def _pause(self, attempt: int) -> float:
        return self._jitter(_BACK_OFF_S[min(attempt, len(_BACK_OFF_S)) - 1])

    def _delay_others(self, connection: Connection, message: Message, pause: timedelta) -> None:
        """Delay the other messages to the same address too, as it is most likely not responding at all."""
        until = now() + min(pause, timedelta(seconds=_OTHERS_WAIT_S))
        others = (
            (DeliveryRow.webhook == message.webhook)
            & (DeliveryRow.state == "waiting")
            & (DeliveryRow.due < until)
            & (DeliveryRow.number != message.number)
        )
        connection.execute(update(DeliveryRow).where(others).values(due=until))


def _is_due() -> tuple[Any, ...]:
    free = or_(DeliveryRow.leased.is_(None), DeliveryRow.leased < now())
    return DeliveryRow.state == "waiting", DeliveryRow.due <= now(), free


def _previous(webhook: DatabaseRow[Any]) -> list[str]:
    until = webhook.previous_until
    return [webhook.previous] if webhook.previous and until is not None and until > now() else []


def _turn_off(connection: Connection, message: Message, outcome: Outcome) -> None:
    """Disable a webhook that is gone, or that accepted no message while one was retried to the end."""
    created = select(DeliveryRow.created).where(DeliveryRow.number == message.number).scalar_subquery()
    newer = select(DeliveryRow.number).where(
        DeliveryRow.webhook == message.webhook, DeliveryRow.state == "delivered", DeliveryRow.tried > created
    )
    if not outcome.is_gone and connection.execute(select(exists(newer))).scalar():
        return
    why = "the address returned 410 Gone" if outcome.is_gone else "no message could be delivered for days"
    own = WebhookRow.number == message.webhook
    connection.execute(update(WebhookRow).where(own).values(disabled=why))


def _find_behind(connection: Connection) -> list[tuple[int, str]]:
    """Return the webhooks and batches with untold changes, including deleted batches."""
    same = (WebhookBatchRow.webhook == WebhookRow.number) & (WebhookBatchRow.batch == BatchRow.id)
    behind = or_(
        WebhookBatchRow.batch.is_(None),
        WebhookBatchRow.revision < BatchRow.revision,
        WebhookBatchRow.product < _LARGEST,  # there was more than fits into one message
        WebhookBatchRow.state != BatchRow.state,
    )
    there = (
        select(WebhookRow.number, BatchRow.id)
        .select_from(WebhookRow)
        .join(BatchRow, WebhookRow.number > 0)
        .outerjoin(WebhookBatchRow, same)
        .where(WebhookRow.disabled.is_(None), behind)
        .order_by(WebhookRow.number, BatchRow.number)
    )
    gone = (
        select(WebhookBatchRow.webhook, WebhookBatchRow.batch)
        .join(WebhookRow, WebhookRow.number == WebhookBatchRow.webhook)
        .where(WebhookRow.disabled.is_(None), ~exists().where(BatchRow.id == WebhookBatchRow.batch))
    )
    return [(number, batch) for statement in (there, gone) for number, batch in connection.execute(statement)]


def _read_news(
    connection: Connection, batch: DatabaseRow[Any], since: Cursor | None
) -> tuple[dict[str, Any] | None, Cursor | None]:
    """Return the content of a message about a batch, and the cursor to continue from if there is more."""
    is_reset = since is None or since.rebuilt != batch.rebuilt
    start = Cursor(batch.rebuilt, 0, 0) if since is None or is_reset else since
    changed = read_changed(connection, batch.number, start, PRODUCTS_A_MESSAGE + 1)
    has_more = len(changed) > PRODUCTS_A_MESSAGE
    changed = changed[:PRODUCTS_A_MESSAGE]
    numbers = [row.number for row in changed if not row.removed]
    products = _describe_products(connection, numbers)
    removed = [str(row.number) for row in changed if row.removed]
    cursor = Cursor(batch.rebuilt, changed[-1].revision, changed[-1].number) if changed else start
    last = cursor if has_more else None
    if not products and not (removed and not is_reset):
        return None, last
    return {
        "batch": _describe_batch(batch),
        "products": products,
        "removed": removed,
        "reset": is_reset and since is not None,
        "cursor": str(cursor),
        "more": has_more,
    }, last


def _describe_batch(batch: DatabaseRow[Any]) -> dict[str, Any]:
    return {"id": batch.id, "name": batch.name, "state": batch.state}


def _describe_products(connection: Connection, numbers: Sequence[int]) -> list[dict[str, Any]]:
    rows = connection.execute(
        select(*ProductRow.__table__.columns)
        .where(ProductRow.number.in_(numbers))
        .order_by(ProductRow.revision, ProductRow.number)
    )
    return [_describe_product(row) for row in rows if row.why != "waiting" or row.said]


def _describe_product(row: DatabaseRow[Any]) -> dict[str, Any]:
    predicted = row.predicted["values"] if row.predicted else {}
    labels = {}
    for column, value in row.labels.items():
        own = predicted.get(column)
        labels[column] = {
            "value": value,
            "state": row.said[column]["state"] if column in row.said else "predicted",
            "confidence": round(own[1], 5) if own is not None and own[0] == value else None,
        }
    return {
        "id": str(row.number),
        "key": row.key,
        "name": row.name,
        "version": row.version,
        "state": row.state,
        "labels": labels,
        "updated": row.updated.isoformat(),
        "updated_by": row.updated_by,
    }


def move(
    connection: Connection,
    webhook: int,
    batch: DatabaseRow[Any],
    cursor: Cursor | None,
    told: DatabaseRow[Any] | None = None,
) -> None:
    """Store how much of a batch a webhook was told: up to a cursor, or everything."""
    reached = cursor or Cursor(batch.rebuilt, batch.revision, _LARGEST)
    state = batch.state if cursor is None else "" if told is None else told.state
    values = {**reached._asdict(), "state": state}
    own = (WebhookBatchRow.webhook == webhook) & (WebhookBatchRow.batch == batch.id)
    if not connection.execute(update(WebhookBatchRow).where(own).values(**values)).rowcount:
        connection.execute(insert(WebhookBatchRow).values(webhook=webhook, batch=batch.id, **values))


def enqueue(connection: Connection, webhook: int, event: str, data: dict[str, Any]) -> str:
    """Queue a message, and return its id."""
    at = now()
    message = f"msg_{uuid4().hex}"
    payload = {"type": event, "timestamp": at.isoformat(), "data": data}
    values = {
        "id": message,
        "webhook": webhook,
        "event": event,
        "payload": json.dumps(payload, ensure_ascii=False, separators=(",", ":")),
        "state": "waiting",
        "attempts": 0,
        "due": at,
        "is_repeat": False,
        "created": at,
    }
    connection.execute(insert(DeliveryRow).values(**values))
    return message
