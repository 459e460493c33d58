"""Network settings from the environment, and how long a server asks clients to wait."""

import email.utils
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from hangtag.domain.errors import UsageError

_PROXIES: Final = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")
_CERTIFICATES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")


@contextmanager
def naming_network_settings() -> Iterator[None]:
    """Raise a `UsageError` that names the variables when an HTTP client cannot be built in the block.

    Clients read their proxies and certificates from the environment, and fail on them in ways of their own.
    """
    try:
        yield
    except OSError as error:
        raise _error(
            "certificate", _CERTIFICATES, error, "Name a file of certificates that exists."
        ) from error
    except ImportError as error:
        fix = "Install what SOCKS needs with `pip install 'httpx[socks]'`, or unset the variable."
        raise _error("proxy", _PROXIES, error, fix) from error
    except Exception as error:
        fix = "A proxy is http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT."
        known = _find_set(_PROXIES)
        if not known:
            raise
        raise _error("proxy", _PROXIES, error, fix) from error


def _error(kind: str, names: tuple[str, ...], error: Exception, fix: str) -> UsageError:
    where = ", ".join(f"{name}={os.environ[name]}" for name in _find_set(names)) or None
    return UsageError(
        f"the {kind} settings of the environment cannot be used ({error})", where=where, fix=fix
    )


def _find_set(names: tuple[str, ...]) -> list[str]:
    """Return the variables that are set, in capitals or not, as they are written there."""
    return [name for name in os.environ if name.upper() in names and os.environ[name]]


def read_pause(asked: str, longest_s: float) -> float | None:
    """Return the seconds of a `Retry-After` header, at most `longest_s`; None if it is neither a number nor a date.

    RFC 9110, 10.2.3, defines it.
    """
    asked = asked.strip()
    if asked.isdecimal():
        return min(float(asked), longest_s)
    try:
        until = email.utils.parsedate_to_datetime(asked).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0.0, min(until - time.time(), longest_s))
