"""What can be set: by the environment (`HANGTAG_...`), and by the options of `hangtag serve`."""

import os
from pathlib import Path
from typing import Final, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from hangtag.bundle.shipped import DEFAULT_NAME
from hangtag.imaging.decode import DecodeLimits
from hangtag.inference.engine import Precision

MIB: Final = 1024 * 1024


def default_data_folder() -> Path:
    """Return where a service of this user keeps its database: the place that the XDG standard gives it."""
    base = os.environ.get("XDG_DATA_HOME")
    return Path(base) / "hangtag" if base else Path.home() / ".local" / "share" / "hangtag"


class Settings(BaseSettings):
    """The settings of one service. Every field `x_y` is the environment variable `HANGTAG_X_Y`, save `catalogue`.

    Raises pydantic's `ValidationError` for a value that cannot be.
    """

    model_config = SettingsConfigDict(
        env_prefix="HANGTAG_", env_ignore_empty=True, populate_by_name=True, frozen=True, extra="ignore"
    )

    host: str = Field(default="127.0.0.1", description="The address to listen on.")
    port: int = Field(default=8080, ge=0, le=65_535, description="The port to listen on; 0 takes a free one.")
    allowed_hosts: str = Field(
        default="",
        description="The names that the service may be called by, separated by commas; `*` is any.",
    )
    data_folder: Path = Field(default_factory=default_data_folder, description="The database and the jobs.")
    catalogue: Path | None = Field(
        default=None, validation_alias="HANGTAG_DATA", description="The catalogue that the page shows."
    )
    split_table: Path | None = Field(
        default=None, description="The catalogue's split table: examples are then taken from its test split."
    )
    models: str = Field(default="", description="Folders of further bundles, separated as in PATH.")
    model: str = Field(default=DEFAULT_NAME, description="The model that answers when none is asked for.")
    page_folder: Path = Field(default=Path(__file__).parent / "page", description="The built page.")

    threads: int | None = Field(
        default=None, ge=1, description="Processors to use; all that there are by default."
    )
    precision: Precision = Field(default="auto", description="The arithmetic of the models.")
    batching: bool = Field(default=True, description="Whether photos of different requests share a batch.")
    batch_photos: int = Field(default=64, ge=1, description="The most photos that are answered at a time.")
    batch_wait_ms: float = Field(
        default=2.0, ge=0, le=1000, description="How long a batch waits for photos that are being decoded."
    )
    queue_photos: int = Field(
        default=2048, ge=1, description="How many photos may wait; beyond, requests get a 503."
    )

    max_files: int = Field(default=500, ge=1, description="Photos in one request to label.")
    max_file_bytes: int = Field(default=20 * MIB, ge=1, description="Bytes of one photo.")
    max_request_bytes: int = Field(default=256 * MIB, ge=1, description="Bytes of one request to label.")
    max_job_bytes: int = Field(default=2048 * MIB, ge=1, description="Bytes of the upload of one job.")
    max_job_photos: int = Field(default=100_000, ge=1, description="Photos of one job.")
    max_held_bytes: int = Field(
        default=512 * MIB,
        ge=1,
        description="Bytes of uploads held in memory by all requests; beyond, they get a 503.",
    )
    max_pixels: int = Field(
        default=64_000_000,
        ge=1,
        description="Pixels of one photo: some 8 bytes each on every decoding thread, but for JPEG, which is shrunk.",
    )
    upload_timeout_s: float = Field(default=60.0, gt=0, description="How long an upload may stand still.")

    doubt_threshold: float = Field(
        default=0.6,
        ge=0,
        le=1,
        description="A label under this confidence is doubtful, unless its model says another.",
    )
    doubt_threshold_category: float = Field(
        default=0.8, ge=0, le=1, description="The same for the levels of the category path."
    )

    log_format: Literal["text", "json"] = Field(default="text", description="How a line of the log looks.")
    log_photo_names: bool = Field(default=False, description="Whether the log may name photos.")
    drain_s: float = Field(
        default=0.0,
        ge=0,
        description="How long to go on serving after a signal to stop, with /readyz saying 503.",
    )
    stop_timeout_s: int = Field(
        default=30, ge=1, description="How long requests under way may take after that."
    )

    @property
    def decode_limits(self) -> DecodeLimits:
        """What one photo may cost."""
        return DecodeLimits(max_bytes=self.max_file_bytes, max_pixels=self.max_pixels)
