"""The log of the service: one line per event, on standard error."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Final, Literal

FIELDS: Final = "hangtag_fields"
"""The attribute of a log record that holds its values by name."""

_SHOWN_LOGGERS: Final = ("hangtag", "uvicorn")


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        values: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, FIELDS, {}),
        }
        if record.exc_info:
            values["traceback"] = self.formatException(record.exc_info)
        return json.dumps(values, ensure_ascii=False, default=str)


class TextFormatter(logging.Formatter):
    """Formats a record for people: the time, the message, its values."""

    def __init__(self) -> None:
        super().__init__("{asctime} {levelname:<7} {message}", "%H:%M:%S", style="{")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging calls it so
        """Return the line without a traceback."""
        values = getattr(record, FIELDS, {})
        return " ".join(
            [super().formatMessage(record), *(f"{name}={value}" for name, value in values.items())]
        )


def log_event(log: logging.Logger, level: int, message: str, **fields: object) -> None:
    """Log a message with named values."""
    if log.isEnabledFor(level):
        log.log(level, message, extra={FIELDS: fields})


def set_up_logs(kind: Literal["text", "json"]) -> None:
    """Send the logs of the service and its HTTP server to standard error. Call it in the serving process only."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if kind == "json" else TextFormatter())
    for name in _SHOWN_LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
    logging.getLogger("hangtag").setLevel(logging.INFO)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
