"""The connection to a service: requests, retries while it is busy, and problems raised as errors."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from hangtag.domain.errors import ServiceError
from hangtag.domain.network import naming_network_settings, read_pause
from hangtag.domain.text import describe_invalid

Value = TypeVar("Value")

_LONGEST_PAUSE_S: Final = 30.0
_BUSY: Final = (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS)
_FIX_UNREACHABLE: Final = "Start it with `hangtag serve`, or use another address."


class Connection:
    """A connection to a service. `options` are those of `httpx.Client`.

    `attempts` is how often a request is sent while the service is busy.
    """

    def __init__(self, base_url: str, attempts: int, token: str | None, **options: Any) -> None:  # noqa: ANN401 - httpx's
        self.where = base_url.rstrip("/")
        self._attempts = attempts
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        with naming_network_settings():
            self._http = httpx.Client(base_url=f"{self.where}/api/v1", headers=headers, **options)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def call(self, kind: type[Value], method: str, address: str, **content: Any) -> Value:  # noqa: ANN401 - httpx's
        """Send a request and return the response as a value. Raises `ServiceError`."""
        return self.read(kind, self.send(method, address, **content))

    def read(self, kind: type[Value], response: httpx.Response) -> Value:
        """Return a response as a value. Raises `ServiceError` for an unexpected one."""
        try:
            return TypeAdapter(kind).validate_json(response.content)
        except ValidationError as error:
            found = error.errors()[0]
            place = ".".join(str(part) for part in found["loc"])
            raise self._error(f"unexpected response ({place}: {describe_invalid(found)})") from None

    def send(self, method: str, address: str, *, once: bool = False, **content: Any) -> httpx.Response:  # noqa: ANN401
        """Send a request and return the response. Raises `ServiceError`. Use `once` if it must not be repeated."""
        attempts = 1 if once else self._attempts
        for attempt in range(attempts):
            response = self._send(method, address, content)
            pause_s = _pause_asked_for(response)
            if pause_s is None or attempt == attempts - 1:
                break
            time.sleep(pause_s)
        self._check(response)
        return response

    @contextmanager
    def stream(self, method: str, address: str, **content: Any) -> Iterator[httpx.Response]:  # noqa: ANN401
        """Yield the response to a request while it arrives. Raises `ServiceError`."""
        try:
            with self._http.stream(method, address, **content) as response:
                if response.is_error:
                    response.read()
                self._check(response)
                yield response
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    def _send(self, method: str, address: str, content: Mapping[str, Any]) -> httpx.Response:
        try:
            return self._http.request(method, address, **content)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    def _check(self, response: httpx.Response) -> None:
        if not response.is_error:
            return
        try:
            problem = response.json()
            detail, code = str(problem["detail"]), str(problem["code"])
        except (ValueError, KeyError, TypeError):  # the response is from a proxy, not from the service
            raise self._error(
                f"the service returned status {response.status_code}", status=response.status_code
            ) from None
        raise self._error(detail, fix=problem.get("fix"), status=response.status_code, service_code=code)

    def _unreachable(self, error: httpx.HTTPError) -> ServiceError:
        return self._error(f"the service cannot be reached ({error})", fix=_FIX_UNREACHABLE)

    def _error(self, problem: str, **known: Any) -> ServiceError:  # noqa: ANN401 - the fields of the error
        return ServiceError(problem, where=self.where, **known)


def _pause_asked_for(response: httpx.Response) -> float | None:
    """Return the seconds of Retry-After if the service is busy or gets too many requests; else None."""
    if response.status_code not in _BUSY:
        return None
    return read_pause(response.headers.get("retry-after", ""), _LONGEST_PAUSE_S)
