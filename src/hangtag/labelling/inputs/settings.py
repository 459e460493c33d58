"""Settings of inputs."""

from dataclasses import dataclass, field

from hangtag.domain.errors import UsageError
from hangtag.imaging.addresses import PUBLIC_ONLY, AddressRules
from hangtag.imaging.budget import DecodeLimits


@dataclass(frozen=True, slots=True)
class InputSettings:
    """How photos are found in tables and fetched from servers and stores.

    `photo_column` names the column of tables, None to find it by its name. `connections` photos are fetched at a time;
    each of `attempts` may take `timeout_s` seconds and follow `redirects`. After the first failure it waits half to all
    of `backoff_s` seconds, and twice as long after each further one. Addresses in private networks are not fetched from
    unless `rules` allow it.

    Raises `UsageError` if a number is too small to mean anything.
    """

    photo_column: str | None = None
    connections: int = 16
    timeout_s: float = 30.0
    attempts: int = 4
    redirects: int = 5
    backoff_s: float = 0.5
    rules: AddressRules = PUBLIC_ONLY
    limits: DecodeLimits = field(default_factory=DecodeLimits.from_environment)

    def __post_init__(self) -> None:
        if self.connections < 1 or self.attempts < 1 or self.timeout_s <= 0:
            raise UsageError("connections and attempts must be at least 1, and the time-out over 0 seconds")
