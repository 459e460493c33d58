"""Webhooks: the addresses that are notified of changes, their secrets, and the log of deliveries."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, delete, func, insert, select, update
from sqlalchemy import Row as DatabaseRow

from hangtag.client.webhooks import make_secret
from hangtag.domain.errors import ConflictError, InvalidField, InvalidFieldsError, NotStoredError
from hangtag.store.database import writing
from hangtag.store.export_tables import DeliveryRow, WebhookRow
from hangtag.store.outbox import TEST, enqueue, move
from hangtag.store.store import new_id, now
from hangtag.store.tables import BatchRow

MOST_WEBHOOKS: Final = 20
OLD_SECRET_LASTS: Final = timedelta(hours=24)
_WEBHOOKS: Final = WebhookRow.__table__.columns
_LOGGED: Final = [column for column in DeliveryRow.__table__.columns if column.name != "leased"]


class Webhooks:
    """Stores webhooks and their log of deliveries. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def list(self) -> list[dict[str, Any]]:
        """Return all webhooks, the oldest first, without their secrets."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(*_WEBHOOKS).order_by(WebhookRow.number)).all()
            return [_describe(connection, row) for row in rows]

    def get(self, id_: str) -> dict[str, Any]:
        """Return a webhook. Raises `NotStoredError`."""
        with self._engine.connect() as connection:
            return _describe(connection, _find(connection, id_))

    def add(self, url: str, description: str, events: Sequence[str], who: str | None) -> tuple[str, str]:
        """Register an address, to be notified from now on. Return its id and its secret."""
        id_, secret = new_id(), make_secret()
        values = {
            "id": id_,
            "url": url,
            "description": description,
            "events": list(events),
            "secret": secret,
            "created": now(),
            "created_by": who,
        }
        with writing(self._engine) as connection:
            if len(connection.execute(select(WebhookRow.number)).all()) >= MOST_WEBHOOKS:
                raise InvalidFieldsError(InvalidField("url", f"there are {MOST_WEBHOOKS} webhooks already"))
            number = connection.execute(
                insert(WebhookRow).values(**values).returning(WebhookRow.number)
            ).scalar_one()
            for batch in connection.execute(select(*BatchRow.__table__.columns)).all():
                move(connection, number, batch, None)
        return id_, secret

    def change(self, id_: str, **values: Any) -> dict[str, Any]:  # noqa: ANN401 - fields have several types
        """Change the address, description or events of a webhook, or its reason for being disabled (None: enabled)."""
        with writing(self._engine) as connection:
            found = _find(connection, id_)
            if values:
                connection.execute(
                    update(WebhookRow).where(WebhookRow.number == found.number).values(**values)
                )
            if "disabled" in values and values["disabled"] is None:
                own = (DeliveryRow.webhook == found.number) & (DeliveryRow.state == "waiting")
                connection.execute(update(DeliveryRow).where(own).values(due=now()))
        return self.get(id_)

    def rotate(self, id_: str) -> str:
        """Give a webhook a new secret, and return it. For a day, the old one signs, too."""
        secret = make_secret()
        with writing(self._engine) as connection:
            found = _find(connection, id_)
            values = {"secret": secret, "previous": found.secret, "previous_until": now() + OLD_SECRET_LASTS}
            connection.execute(update(WebhookRow).where(WebhookRow.number == found.number).values(**values))
        return secret

    def remove(self, id_: str) -> None:
        """Delete a webhook with its log."""
        with writing(self._engine) as connection:
            found = _find(connection, id_)
            connection.execute(delete(WebhookRow).where(WebhookRow.number == found.number))

    def send_test(self, id_: str, who: str | None) -> dict[str, Any]:
        """Put a test message at the front of the queue, and return its delivery."""
        with writing(self._engine) as connection:
            found = _find(connection, id_)
            if found.disabled:
                raise ConflictError("the webhook is disabled", fix="Enable it first.")
            message = enqueue(connection, found.number, TEST, {"webhook": id_, "by": who})
        return self.delivery(id_, message)

    def deliveries(self, id_: str, offset: int, limit: int, state: str | None = None) -> dict[str, Any]:
        """Return a page of the log of a webhook, the newest first."""
        with self._engine.connect() as connection:
            found = _find(connection, id_)
            own = DeliveryRow.webhook == found.number
            if state is not None:
                own &= DeliveryRow.state == state
            statement = select(*_LOGGED).where(own).order_by(DeliveryRow.number.desc())
            rows = connection.execute(statement.offset(offset).limit(limit + 1)).all()
        return {"items": [_describe_delivery(row) for row in rows[:limit]], "more": len(rows) > limit}

    def delivery(self, id_: str, message: str) -> dict[str, Any]:
        """Return a delivery of a webhook. Raises `NotStoredError`."""
        with self._engine.connect() as connection:
            found = _find(connection, id_)
            row = _find_delivery(connection, found.number, message)
        return _describe_delivery(row)

    def redeliver(self, id_: str, message: str) -> dict[str, Any]:
        """Send a message again, under the same id. Raises `NotStoredError`."""
        with writing(self._engine) as connection:
            found = _find(connection, id_)
            row = _find_delivery(connection, found.number, message)
            values = {"state": "waiting", "attempts": 0, "due": now(), "leased": None, "is_repeat": True}
            connection.execute(update(DeliveryRow).where(DeliveryRow.number == row.number).values(**values))
        return self.delivery(id_, message)


def _find(connection: Connection, id_: str) -> DatabaseRow[Any]:
    found = connection.execute(select(*_WEBHOOKS).where(WebhookRow.id == id_)).first()
    if found is None:
        raise NotStoredError(f"there is no webhook {id_!r}")
    return found


def _find_delivery(connection: Connection, webhook: int, message: str) -> DatabaseRow[Any]:
    own = (DeliveryRow.webhook == webhook) & (DeliveryRow.id == message)
    found = connection.execute(select(*_LOGGED).where(own)).first()
    if found is None:
        raise NotStoredError("the webhook has no such delivery")
    return found


def _describe(connection: Connection, row: DatabaseRow[Any]) -> dict[str, Any]:
    last = connection.execute(
        select(DeliveryRow.state, DeliveryRow.tried)
        .where(DeliveryRow.webhook == row.number, DeliveryRow.tried.is_not(None))
        .order_by(DeliveryRow.tried.desc())
        .limit(1)
    ).first()
    waiting = (DeliveryRow.webhook == row.number) & (DeliveryRow.state == "waiting")
    return {
        "id": row.id,
        "url": row.url,
        "description": row.description,
        "events": row.events,
        "enabled": row.disabled is None,
        "disabled_because": row.disabled,
        "created": row.created,
        "created_by": row.created_by,
        "waiting": connection.execute(select(func.count()).where(waiting)).scalar_one(),
        "last_sent": None if last is None else last.tried,
        "last_arrived": None if last is None else last.state == "delivered",
    }


def _describe_delivery(row: DatabaseRow[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "event": row.event,
        "state": row.state,
        "attempts": row.attempts,
        "created": row.created,
        "tried": row.tried,
        "next_try": row.due if row.state == "waiting" else None,
        "status": row.status,
        "problem": row.problem,
        "took_ms": row.took_ms,
        "repeated": row.is_repeat,
        "payload": json.loads(row.payload),
    }
