"""Whether a store learns by itself and from how many checks on, and what people asked it to learn now."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select

from hangtag.learning.learner import Wish
from hangtag.store.shop_tables import ShopSettingRow

LEARNING: Final = "learning"
WISHES: Final = "wishes"


@dataclass(frozen=True, slots=True)
class LearningSettings:
    """Whether models learn by themselves, and after how many new checks."""

    enabled: bool = True
    learn_after: int = 10


def read_settings(connection: Connection) -> LearningSettings:
    """Return the settings; those that nobody changed are the usual ones."""
    return LearningSettings(**_read(connection, LEARNING))


def write_settings(connection: Connection, settings: LearningSettings) -> None:
    """Store the settings."""
    _write(connection, LEARNING, asdict(settings))


def add_wish(connection: Connection, wish: Wish) -> None:
    """Note that a version is to be made of a base, in place of an earlier wish for it."""
    _write(connection, WISHES, {**_read(connection, WISHES), str(wish.base): asdict(wish)})


def read_wishes(connection: Connection) -> list[Wish]:
    """Return what was wished for and is not done yet."""
    return [Wish(**values) for values in _read(connection, WISHES).values()]


def end_wish(connection: Connection, base: int) -> None:
    """Note that a wish was fulfilled, or cannot be."""
    left = {key: values for key, values in _read(connection, WISHES).items() if key != str(base)}
    _write(connection, WISHES, left)


def _read(connection: Connection, key: str) -> dict[str, Any]:
    statement = select(ShopSettingRow.value).where(ShopSettingRow.key == key)
    return connection.execute(statement).scalar_one_or_none() or {}


def _write(connection: Connection, key: str, value: Mapping[str, Any]) -> None:
    connection.execute(delete(ShopSettingRow).where(ShopSettingRow.key == key))
    connection.execute(insert(ShopSettingRow).values(key=key, value=dict(value)))
