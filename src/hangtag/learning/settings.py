"""Whether a store learns by itself and from how many checks on, and what people asked it to learn now."""

from dataclasses import asdict, dataclass
from typing import Final

from sqlalchemy import Connection

from hangtag.learning.learner import Wish
from hangtag.store.shop_settings import read_setting, write_setting

LEARNING: Final = "learning"
WISHES: Final = "wishes"


@dataclass(frozen=True, slots=True)
class LearningSettings:
    """Whether models learn by themselves, and after how many new checks."""

    enabled: bool = True
    learn_after: int = 10


def read_settings(connection: Connection) -> LearningSettings:
    """Return the settings; those that nobody changed are the usual ones."""
    return LearningSettings(**read_setting(connection, LEARNING))


def write_settings(connection: Connection, settings: LearningSettings) -> None:
    """Store the settings."""
    write_setting(connection, LEARNING, asdict(settings))


def add_wish(connection: Connection, wish: Wish) -> None:
    """Note that a version should be made of a base, in place of an earlier wish for it."""
    write_setting(connection, WISHES, {**read_setting(connection, WISHES), str(wish.base): asdict(wish)})


def read_wishes(connection: Connection) -> list[Wish]:
    """Return what was wished for and is not done yet."""
    return [Wish(**values) for values in read_setting(connection, WISHES).values()]


def end_wish(connection: Connection, base: int) -> None:
    """Note that a wish was fulfilled, or cannot be."""
    left = {key: values for key, values in read_setting(connection, WISHES).items() if key != str(base)}
    write_setting(connection, WISHES, left)
