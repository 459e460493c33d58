"""Roles of people, and the actions that each role includes. Permissions are defined only here."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Action(StrEnum):
    """What someone can be allowed to do. Every operation of the API needs one of these."""

    READ = "read"
    """Look at batches, photos, models, the catalogue, and download what they hold."""

    LABEL = "label"
    """Label photos, and make batches of them."""

    REVIEW = "review"
    """Correct, confirm and comment; rename, archive and delete batches."""

    ADMINISTER = "administer"
    """Manage people and all tokens, and read the audit log."""

    METRICS = "metrics"
    """Read the metrics."""

    ACCOUNT = "account"
    """Manage one's own password, tokens and session. A token cannot have it."""


class Role(StrEnum):
    """The role of a person in the team."""

    VIEWER = "viewer"
    REVIEWER = "reviewer"
    ADMINISTRATOR = "administrator"


ACTIONS_BY_ROLE: Final[Mapping[Role, frozenset[Action]]] = {
    Role.VIEWER: frozenset({Action.READ, Action.ACCOUNT}),
    Role.REVIEWER: frozenset({Action.READ, Action.ACCOUNT, Action.LABEL, Action.REVIEW}),
    Role.ADMINISTRATOR: frozenset(Action),
}

TOKEN_SCOPES: Final = tuple(action for action in Action if action is not Action.ACCOUNT)
"""The actions that a token can be given. It never has more than its owner."""
