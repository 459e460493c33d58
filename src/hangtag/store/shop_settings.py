"""The settings of the shop: JSON objects by name."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from hangtag.store.shop_tables import ShopSettingRow


def read_setting(connection: Connection, key: str) -> dict[str, Any]:
    """Return a setting; empty if it was never set."""
    statement = select(ShopSettingRow.value).where(ShopSettingRow.key == key)
    return connection.execute(statement).scalar_one_or_none() or {}


def write_setting(connection: Connection, key: str, value: Mapping[str, Any]) -> None:
    """Store a setting, replacing the previous value."""
    connection.execute(delete(ShopSettingRow).where(ShopSettingRow.key == key))
    connection.execute(insert(ShopSettingRow).values(key=key, value=dict(value)))
