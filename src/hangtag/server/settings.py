"""The settings of the service: environment variables (`HANGTAG_...`) and options of `hangtag serve`."""

import ipaddress
import os
import re
from pathlib import Path
from typing import Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from hangtag.bundle.file import DEFAULT_NAME
from hangtag.bundle.signatures import TrustedKeys
from hangtag.domain.errors import UsageError
from hangtag.domain.roles import Role
from hangtag.imaging.budget import DEFAULT_LIMITS, DecodeLimits
from hangtag.inference.engine import Precision

MIB: Final = 1024 * 1024
SERVED_HERE_PIXELS: Final = 2_000_000
"""Photos that are larger, or not certainly cheap, are decoded in low-priority processes."""

BASE_PATH: Final = re.compile(r"(?:/[\w.~-]*[\w~-][\w.~-]*)+", re.ASCII)
"""A path such as `/tags` or `/shop/tags`: never empty, never `..`, never with an empty segment."""


def default_data_folder() -> Path:
    """Return this user's data folder, by the XDG standard."""
    base = os.environ.get("XDG_DATA_HOME")
    return Path(base) / "hangtag" if base else Path.home() / ".local" / "share" / "hangtag"


def is_loopback(host: str) -> bool:
    """Return whether an address can only be reached from this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def parse_networks(text: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Parse addresses and networks separated by commas. Raises `ValueError` for anything else."""
    return [ipaddress.ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip()]


def parse_roles(text: str) -> dict[str, Role]:
    """Parse roles by the value of a claim, from `it=administrator,shop=reviewer`. Raises `ValueError`."""
    pairs = [part.rpartition("=") for part in text.split(",") if part.strip()]
    if any(not value.strip() or not sign or role.strip() not in set(Role) for value, sign, role in pairs):
        raise ValueError(f"write value=role, separated by commas; the roles are {', '.join(Role)}")
    return {value.strip(): Role(role.strip()) for value, _, role in pairs}


class Settings(BaseSettings):
    """The settings of one service. Every field `x_y` is the environment variable `HANGTAG_X_Y`, except `catalogue`.

    Raises pydantic's `ValidationError` for an invalid value.
    """

    model_config = SettingsConfigDict(
        env_prefix="HANGTAG_", env_ignore_empty=True, populate_by_name=True, frozen=True, extra="ignore"
    )

    host: str = Field(default="127.0.0.1", description="The address to listen on.")
    port: int = Field(default=8080, ge=0, le=65_535, description="The port to listen on. 0 picks a free one.")
    allowed_hosts: str = Field(
        default="",
        description="Host names the service answers to, separated by commas. `*` allows any.",
    )
    base_path: str = Field(
        default="",
        description="The path under which a proxy serves hangtag, such as `/tags`. `X-Forwarded-Prefix` works too.",
    )
    trusted_proxies: str = Field(
        default="127.0.0.1,::1",
        description="Addresses and networks of proxies whose `X-Forwarded-` headers are trusted, separated by commas.",
    )

    accounts: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="Whether people sign in. `auto`: unless the service listens on this machine only.",
    )
    session_hours: float = Field(default=336.0, gt=0, description="Hours after which an unused session ends.")
    proxy_user_header: str = Field(
        default="",
        description="The header in which a trusted proxy names who signed in there, as `X-Forwarded-User`.",
    )
    new_user_role: Literal["none", "viewer", "reviewer", "administrator"] = Field(
        default="none",
        description="The role of people who sign in through the proxy or provider for the first time.",
    )
    oidc_issuer: str = Field(
        default="", description="The OpenID provider where people sign in, as `https://login.shop.example`."
    )
    oidc_client_id: str = Field(default="", description="The id of this service there.")
    oidc_client_secret: SecretStr = Field(
        default=SecretStr(""), description="The secret that goes with the id; none for a public client."
    )
    oidc_name: str = Field(
        default="Single sign-on", description="What the page calls the provider.", max_length=60
    )
    oidc_scopes: str = Field(
        default="openid profile email", description="What the service asks the provider for."
    )
    oidc_name_claim: str = Field(
        default="preferred_username", description="The claim with a person's name, as `email`."
    )
    oidc_role_claim: str = Field(
        default="groups", description="The claim with what gives people roles, as `realm_access.roles`."
    )
    oidc_roles: str = Field(
        default="",
        description="Which of its values give which role, as `it=administrator,shop=reviewer`. "
        "Without it, administrators give people roles here.",
    )
    oidc_hours: float = Field(
        default=24.0, gt=0, description="Hours after which people sign in at the provider again."
    )
    rate_limit: int = Field(default=6_000, ge=1, description="Requests a minute of one person or token.")
    rate_limit_anonymous: int = Field(
        default=600, ge=1, description="Requests a minute of one address without signing in."
    )
    audit_days: int = Field(default=365, ge=1, description="Days for which the audit log is kept.")
    batch_days: int | None = Field(
        default=None, ge=1, description="Days after which a batch that nobody changes is deleted."
    )
    quota_bytes: int | None = Field(default=None, ge=1, description="Bytes of photos in all batches.")
    quota_products: int | None = Field(default=None, ge=1, description="Products in all batches.")
    quota_bytes_per_person: int | None = Field(
        default=None, ge=1, description="Bytes of photos in the batches that one person made."
    )
    quota_products_per_person: int | None = Field(
        default=None, ge=1, description="Products in the batches that one person made."
    )

    data_folder: Path = Field(default_factory=default_data_folder, description="The database and the photos.")
    database_url: str = Field(
        default="",
        description="A PostgreSQL database, as `postgresql://user:password@host/name`. Defaults to SQLite.",
    )
    keep_originals: bool = Field(
        default=False,
        description="Whether photos of batches are kept as they came, instead of as copies without metadata.",
    )
    catalogue: Path | None = Field(
        default=None, validation_alias="HANGTAG_DATA", description="The catalogue to show on the page."
    )
    catalogue_labels: Path | None = Field(
        default=None,
        description="Out-of-fold predictions to compare the catalogue's labels with, as `hangtag check --labels` does.",
    )
    split_table: Path | None = Field(
        default=None, description="The catalogue's split table. Examples then come from its test split."
    )
    models: str = Field(default="", description="Folders with more bundles, separated as in PATH.")
    trusted_keys: str = Field(
        default="",
        description="Public keys of minisign. If set, only bundles signed with one of them are used.",
    )
    model: str = Field(default=DEFAULT_NAME, description="The default model.")
    page_folder: Path = Field(default=Path(__file__).parent / "page", description="The built page.")

    threads: int | None = Field(default=None, ge=1, description="Processors to use. Defaults to all.")
    precision: Precision = Field(default="auto", description="The precision of the models.")
    batching: bool = Field(default=True, description="Whether photos of different requests share a batch.")
    batch_photos: int = Field(default=64, ge=1, description="The largest batch, in photos.")
    batch_wait_ms: float = Field(
        default=2.0,
        ge=0,
        le=1000,
        description="How long a batch waits for photos that are being decoded.",
    )
    queue_photos: int = Field(
        default=2048, ge=1, description="Photos that may wait for a batch. Requests beyond that get a 503."
    )

    max_files: int = Field(default=500, ge=1, description="Photos in one request.")
    max_file_bytes: int = Field(default=DEFAULT_LIMITS.max_bytes, ge=1, description="Bytes of one photo.")
    max_request_bytes: int = Field(default=256 * MIB, ge=1, description="Bytes of one request.")
    max_upload_bytes: int = Field(
        default=2048 * MIB,
        ge=1,
        validation_alias=AliasChoices("HANGTAG_MAX_UPLOAD_BYTES", "HANGTAG_MAX_JOB_BYTES"),
        description="Bytes of one upload to a batch.",
    )
    max_batch_photos: int = Field(
        default=100_000,
        ge=1,
        validation_alias=AliasChoices("HANGTAG_MAX_BATCH_PHOTOS", "HANGTAG_MAX_JOB_PHOTOS"),
        description="Photos of one batch.",
    )
    max_upload_memory_bytes: int = Field(
        default=512 * MIB,
        ge=1,
        description="Bytes of uploads in memory, over all requests. Requests beyond that get a 503.",
    )
    max_pixels: int = Field(default=DEFAULT_LIMITS.max_pixels, ge=1, description="Pixels of one photo.")
    max_frames: int = Field(
        default=DEFAULT_LIMITS.max_frames,
        ge=1,
        description="Frames in one photo's file. The first one counts.",
    )
    max_decode_seconds: float = Field(
        default=DEFAULT_LIMITS.max_seconds,
        gt=0,
        description="Processor seconds that decoding one photo may take.",
    )
    max_decode_bytes: int = Field(
        default=DEFAULT_LIMITS.max_memory_bytes,
        ge=1,
        description="Bytes of memory that decoding one photo may take.",
    )
    max_connections: int = Field(
        default=2000,
        ge=1,
        description="Open connections. Beyond that, the ones idle for longest are closed.",
    )
    upload_timeout_s: float = Field(default=60.0, gt=0, description="Seconds an upload may stall.")

    fetch_hosts: str = Field(
        default="",
        description="Hosts that photos are fetched from if a sheet lists their addresses, separated by commas. "
        "They may be private. `.shop.example` includes all hosts below, and `*` allows every public host.",
    )
    webhook_hosts: str = Field(
        default="",
        description="The only hosts that webhooks may call, separated by commas. They may be private.",
    )

    doubt_threshold: float = Field(
        default=0.6,
        ge=0,
        le=1,
        description="Labels below this confidence are doubtful, unless the model has its own threshold.",
    )
    doubt_threshold_category: float = Field(
        default=0.8, ge=0, le=1, description="The same for the levels of the category path."
    )

    log_format: Literal["text", "json"] = Field(default="text", description="The format of the log.")
    log_photo_names: bool = Field(default=False, description="Whether the log may contain names of photos.")
    otlp_endpoint: str = Field(
        default="", description="The OpenTelemetry collector to send traces to, as `http://127.0.0.1:4318`."
    )
    drain_s: float = Field(
        default=0.0,
        ge=0,
        description="Seconds to keep serving after a stop signal while /readyz returns 503.",
    )
    stop_timeout_s: int = Field(
        default=30, ge=1, description="Seconds that open requests may take after that."
    )

    @field_validator("base_path")
    @classmethod
    def _check_base_path(cls, value: str) -> str:
        path = f"/{value.strip('/')}" if value.strip("/") else ""
        if path and not BASE_PATH.fullmatch(path):
            raise ValueError("it must be a path such as /tags")
        return path

    @field_validator("trusted_proxies")
    @classmethod
    def _check_networks(cls, value: str) -> str:
        parse_networks(value)
        return value

    @field_validator("oidc_issuer")
    @classmethod
    def _check_issuer(cls, value: str) -> str:
        parts = urlsplit(value)
        is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
        if value and (not is_safe or parts.query or parts.fragment):
            raise ValueError("it must be an address that begins with https://")
        return value

    @field_validator("trusted_keys")
    @classmethod
    def _check_keys(cls, value: str) -> str:
        try:
            TrustedKeys.parse(value)
        except UsageError as error:
            raise ValueError(error.problem) from None
        return value

    @field_validator("oidc_roles")
    @classmethod
    def _check_roles(cls, value: str) -> str:
        parse_roles(value)
        return value

    @model_validator(mode="after")
    def _check_accounts(self) -> Self:
        if self.accounts == "off" and not is_loopback(self.host):
            raise ValueError(
                "accounts can be off only if the service listens on 127.0.0.1 or another loopback address"
            )
        if self.proxy_user_header and "trusted_proxies" not in self.model_fields_set:
            raise ValueError("proxy_user_header needs HANGTAG_TRUSTED_PROXIES: the addresses of the proxy")
        if self.oidc_issuer and not self.oidc_client_id:
            raise ValueError("oidc_issuer needs HANGTAG_OIDC_CLIENT_ID")
        return self

    @property
    def uses_accounts(self) -> bool:
        """Whether people sign in."""
        return self.accounts == "on" or (self.accounts == "auto" and not is_loopback(self.host))

    @property
    def shares_database(self) -> bool:
        """Whether other services may use the same database and data folder."""
        return bool(self.database_url) and not self.database_url.startswith("sqlite")

    @property
    def decode_limits(self) -> DecodeLimits:
        """The limits on one photo."""
        return DecodeLimits(
            max_bytes=self.max_file_bytes,
            max_pixels=self.max_pixels,
            max_frames=self.max_frames,
            max_seconds=self.max_decode_seconds,
            max_memory_bytes=self.max_decode_bytes,
            in_process_pixels=SERVED_HERE_PIXELS,
        )
