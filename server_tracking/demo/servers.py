"""Serve a WSGI application with nothing but the standard library."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from server_tracking.inspector.server import url_of

__all__ = ["serving_wsgi"]

WSGIApplication = Callable[..., Iterable[bytes]]


@contextmanager
def serving_wsgi(app: WSGIApplication, listening: socket.socket) -> Iterator[str]:
    """Serve *app* while the block lasts, each connection in a thread of its own.

    Yields the address. The socket is closed at the end. For demonstrations: this is
    no server for a real site.
    """
    server = _Server(app, listening)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield url_of(listening)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def __init__(self, app: WSGIApplication, listening: socket.socket) -> None:
        address = listening.getsockname()
        super().__init__(address, _Handler, bind_and_activate=False)
        self.socket.close()  # the one that the standard library has made
        self.socket = listening
        # Its own way to find the name asks the DNS, which may take seconds.
        self.server_name, self.server_port = address[:2]
        self.setup_environ()
        self.set_app(app)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # Browsers drop connections that they opened in advance.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(WSGIRequestHandler):
    def log_message(self, *_args: Any) -> None:
        """Say nothing: the inspector shows what there is to see."""

    def address_string(self) -> str:
        return str(self.client_address[0])
