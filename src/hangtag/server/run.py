"""Running the service as a process: settings, socket, signals."""

import asyncio
import contextlib
import faulthandler
import gc
import os
import signal
import socket
import sys
import webbrowser
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Final

import uvicorn
from fastapi import FastAPI
from pydantic import ValidationError
from starlette.types import ASGIApp

from hangtag.domain.durable import close_to_others
from hangtag.domain.errors import UsageError
from hangtag.server.access.administration import WELCOME
from hangtag.server.access.authentication import TrustedProxies
from hangtag.server.access.control import INVITATION_LASTS
from hangtag.server.app import create_app
from hangtag.server.connections import GuardedProtocol, OpenConnections, most_connections
from hangtag.server.middleware import HostCheck, find_allowed_hosts
from hangtag.server.problems import invalid_value
from hangtag.server.service import find_service
from hangtag.server.settings import Settings, is_loopback
from hangtag.server.telemetry import set_up_logs
from hangtag.store.database import DATABASE_NAME

_NOT_FOR_OTHERS: Final = 0o077
_SWITCH_S: Final = 0.0002
"""How long a computing thread blocks others: 25 times shorter than the default, as uploads compute, too."""

_COLLECTED_AFTER: Final = (2_000, 10, 100)
"""How many new objects, and younger collections, trigger a garbage collection. A photo makes hundreds of objects."""

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_EVERYWHERE: Final[Mapping[str, str]] = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - only shown
"""The address to show for a service that listens on all addresses."""


def build_settings(given: Mapping[str, object]) -> Settings:
    """Return the settings from the environment, overridden by the given ones.

    Raises `UsageError` for an invalid value.
    """
    try:
        return Settings(**given)  # type: ignore[arg-type]  # pydantic checks each
    except ValidationError as error:
        invalid = invalid_value(error.errors()[0])
        raise UsageError(
            invalid.message, where=invalid.field.replace(".", "_"), fix="docs/server.md lists the settings."
        ) from None


def run_server(settings: Settings, *, open_browser: bool = False) -> None:
    """Serve until a stop signal, then finish open requests.

    Raises `UsageError` if the address cannot be used, and as `Service` does.
    """
    set_up_logs(settings.log_format)
    faulthandler.enable()  # otherwise a crash in a library would end the service silently
    sys.setswitchinterval(_SWITCH_S)
    _close_data_folder(settings.data_folder)
    with contextlib.closing(_listen(settings)) as listener:
        asyncio.run(_serve(settings, listener, open_browser=open_browser))


def _close_data_folder(folder: Path) -> None:
    """Make the data folder and its files readable by this user only."""
    os.umask(_NOT_FOR_OTHERS)
    if (folder / DATABASE_NAME).exists():  # otherwise the folder may be used for something else
        close_to_others(folder)


async def _serve(settings: Settings, listener: socket.socket, *, open_browser: bool) -> None:
    app = create_app(settings)
    # The lifespan runs here, as uvicorn would turn its errors into a traceback.
    async with app.router.lifespan_context(app):
        server, address = Server(app, settings), _address(listener)
        spare_garbage_collector()
        with server.capture_signals():  # whoever reads the address may send a signal at once
            sys.stdout.write(f"hangtag is running at {address}\n{_invite_first(app, settings, address)}")
            sys.stdout.flush()
            if open_browser:
                webbrowser.open(address)
            await server.serve([listener])


def spare_garbage_collector() -> None:
    """Exclude what is loaded from garbage collection: scanning all of it delays every response by 0.1 seconds."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECTED_AFTER)


def _invite_first(app: FastAPI, settings: Settings, address: str) -> str:
    """Return the one-time link for the first administrator, if people sign in and there is no account yet."""
    access = find_service(app).access
    if not access.enabled or not access.accounts.is_empty():
        return ""
    link = f"{address}{settings.base_path}{WELCOME}{access.accounts.invite(None, INVITATION_LASTS)}"
    return (
        "Nobody has an account yet. Open this link to become the administrator; it works once, and a restart makes\n"
        f"another. Put this machine's name in place of the address if you are at another one.\n\n    {link}\n\n"
    )


class Server(uvicorn.Server):
    """A server that notifies its service before it stops, and lets its caller clean up afterwards."""

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        self._service = find_service(app)
        self._drain_s = settings.drain_s
        super().__init__(
            uvicorn.Config(
                _guard(app, settings),
                http=partial(  # type: ignore[arg-type]  # uvicorn calls it as it would a class
                    GuardedProtocol, connections=OpenConnections(most_connections(settings.max_connections))
                ),
                proxy_headers=False,  # `TrustedProxies` reads them
                lifespan="off",
                access_log=False,  # would contain names of photos; the service writes its own
                log_config=None,
                server_header=False,
                timeout_graceful_shutdown=settings.stop_timeout_s,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at a signal. Unlike uvicorn, do not raise it again, which would end the process at once."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._on_signal)
        try:
            yield
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)

    def _on_signal(self) -> None:
        """Begin to stop. At a second signal, stop at once."""
        if self._service.is_stopping:
            self.should_exit = self.force_exit = True
            return
        self._service.begin_stop()
        asyncio.get_running_loop().call_later(self._drain_s, setattr, self, "should_exit", True)


def _guard(app: FastAPI, settings: Settings) -> ASGIApp:
    """Wrap the app in the middleware for the connection: allowed hosts and trusted proxies."""
    reachable = not is_loopback(settings.host)
    checked = HostCheck(app, find_allowed_hosts(settings), addresses=reachable)
    return TrustedProxies(checked, settings.trusted_proxies)


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as error:
        raise UsageError(
            f"cannot listen on this address ({error.strerror or error})",
            where=f"{settings.host}:{settings.port}",
            fix="Choose another --host or --port.",
        ) from None


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    shown = _EVERYWHERE.get(host, host)
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}"
