"""Whether a store learns automatically, from how many checks on, and requests to learn now."""

from dataclasses import asdict, dataclass
from typing import Final

from sqlalchemy import Connection

from hangtag.learning.learner import LearningRequest
from hangtag.store.shop_settings import read_setting, write_setting

LEARNING: Final = "learning"
_REQUESTS: Final = "wishes"  # the name in stored settings


@dataclass(frozen=True, slots=True)
class LearningSettings:
    """Whether models learn automatically, and after how many new checks."""

    enabled: bool = True
    learn_after: int = 10


def read_settings(connection: Connection) -> LearningSettings:
    """Return the settings, with defaults for those that were never changed."""
    return LearningSettings(**read_setting(connection, LEARNING))


def write_settings(connection: Connection, settings: LearningSettings) -> None:
    """Store the settings."""
    write_setting(connection, LEARNING, asdict(settings))


def add_request(connection: Connection, request: LearningRequest) -> None:
    """Store a request to make a version of a base. It replaces an earlier request for this base."""
    write_setting(
        connection, _REQUESTS, {**read_setting(connection, _REQUESTS), str(request.base): asdict(request)}
    )


def read_requests(connection: Connection) -> list[LearningRequest]:
    """Return the open requests."""
    return [LearningRequest(**values) for values in read_setting(connection, _REQUESTS).values()]


def remove_request(connection: Connection, base: int) -> None:
    """Remove a request that was fulfilled or cannot be."""
    left = {key: values for key, values in read_setting(connection, _REQUESTS).items() if key != str(base)}
    write_setting(connection, _REQUESTS, left)
