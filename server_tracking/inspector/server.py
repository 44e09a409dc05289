"""Serve ASGI applications, the inspector above all, in a thread of this process."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from server_tracking.inspector.app import inspector_app
from server_tracking.inspector.faults import CUT, Faults
from server_tracking.inspector.store import Store

__all__ = [
    "USUAL_PORT",
    "LocalServer",
    "listening_socket",
    "serving_inspector",
    "url_of",
    "wait_for_interrupt",
]

USUAL_PORT = 8001
"""Where the inspector listens unless told otherwise."""

_UNSPECIFIED = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - shown, not bound


def listening_socket(
    port: int | None = 0, *, host: str = "127.0.0.1", usual: int = 0
) -> socket.socket:
    """Listen on *host*; port 0 is any that is free, None is *usual* or any.

    Raises `OSError` if *port* is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        wanted = usual if port is None else port
        listening = socket.create_server((host, wanted), family=family, backlog=128)
    except OSError:
        if port is not None:
            raise
        listening = socket.create_server((host, 0), family=family, backlog=128)
    # Connections inherit it. asyncio sets it only on sockets that it has made, and
    # without it each answer to a kept connection waits 40 ms for an ACK (RFC 1122,
    # 4.2.3.2 and 4.2.3.4).
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def url_of(listening: socket.socket) -> str:
    """Return the address of a listening socket, without a slash at its end."""
    host, port = listening.getsockname()[:2]
    host = _UNSPECIFIED.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class LocalServer:
    """Serve the ASGI application *app* while the block lasts.

    It takes *listening*, which is closed at the end, or a free port on loopback.
    """

    def __init__(self, app: Any, listening: socket.socket | None = None) -> None:
        self._socket = listening or listening_socket()
        self.url = url_of(self._socket)
        """The address, without a slash at its end."""
        config = uvicorn.Config(
            app,
            http=_Cuttable,
            log_config=None,
            log_level="warning",
            access_log=False,
            # What proxies say is for the application's own settings to trust.
            proxy_headers=False,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), daemon=True
        )

    def __enter__(self) -> Self:
        # The socket listens already: a first request waits until the loop runs.
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.should_exit = True
        self._thread.join(5)
        self._socket.close()


class _Cuttable(AutoHTTPProtocol):  # type: ignore[valid-type,misc]  # chosen at run time
    """Let the application cut its connection, as a collector that fails does."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._whole: Any = self.config.loaded_app

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)

        async def with_cut(scope: Any, receive: Any, send: Any) -> None:
            scope.setdefault("extensions", {})[CUT] = transport.abort
            await self._whole(scope, receive, send)

        self.app = with_cut


@contextmanager
def serving_inspector(
    store: Store, listening: socket.socket, *, faults: Faults | None = None
) -> Iterator[str]:
    """Serve the inspector of *store* while the block lasts; yields its address."""
    with LocalServer(inspector_app(store, faults=faults), listening) as server:
        try:
            yield server.url
        finally:
            store.close()  # ends the streams, for which the server would wait


def wait_for_interrupt(meanwhile: Callable[[], object] = lambda: None) -> None:
    """Wait for Ctrl-C or SIGTERM, in the main thread; do *meanwhile* twice a second."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        while True:
            time.sleep(0.5)
            meanwhile()
    except KeyboardInterrupt:
        return
    finally:
        signal.signal(signal.SIGTERM, before)
