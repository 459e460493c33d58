"""Running the service as a process: its settings, its address, its end."""

import sys
import webbrowser
from collections.abc import Mapping
from socket import socket
from types import FrameType

import uvicorn
from pydantic import ValidationError

from hangtag.domain.errors import UsageError
from hangtag.server.app import create_app
from hangtag.server.logs import set_up_logs
from hangtag.server.settings import Settings


def build_settings(given: Mapping[str, object]) -> Settings:
    """Return the settings of the environment, with what is given put over them.

    Raises `UsageError` for a value that cannot be.
    """
    try:
        return Settings(**given)  # type: ignore[arg-type]  # pydantic checks each
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(str(part) for part in first["loc"])
        raise UsageError(first["msg"], where=name, fix="docs/server.md lists the settings.") from None


class Server(uvicorn.Server):
    """A server that says where it listens, and that it is stopping."""

    def __init__(self, settings: Settings, *, open_browser: bool) -> None:
        self._app = create_app(settings)
        self._settings = settings
        self._open_browser = open_browser
        super().__init__(
            uvicorn.Config(
                self._app,
                host=settings.host,
                port=settings.port,
                access_log=False,  # it would name photos; the service writes its own
                log_config=None,
                server_header=False,
                timeout_graceful_shutdown=settings.stop_timeout_s,
            )
        )

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Begin to listen, and say where."""
        await super().startup(sockets)
        if self.should_exit or not self.servers:
            return
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        sys.stdout.write(f"hangtag is at {address}\n")
        sys.stdout.flush()
        if self._open_browser:
            webbrowser.open(address)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Let everybody know that the end is near."""
        service = getattr(self._app.state, "service", None)
        if service is not None:
            service.begin_stop()
        super().handle_exit(sig, frame)


def run_server(settings: Settings, *, open_browser: bool = False) -> None:
    """Serve until a signal says to stop; what is under way is finished."""
    set_up_logs(settings.log_format)
    Server(settings, open_browser=open_browser).run()
