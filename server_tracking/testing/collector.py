"""Collector: an analytics system's server that does as it is told, for tests.

    with Collector() as collector:
        collector.script(collector.status(503), collector.hang, collector.status(204))
        ...  # track something that is sent to collector.url
        collector.wait_for(3)
        assert collector.requests[0].json == ...

It listens on a free port of 127.0.0.1, and answers from threads.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, NamedTuple, Self

__all__ = ["Collector", "Seen", "Step"]

PATIENCE = 10.0  # seconds to wait for what should happen at once


class Seen(NamedTuple):
    """A request as it arrived; header names are lower-case, *connection* counts from 1.

    *time* is on the monotonic clock.
    """

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int
    time: float

    @property
    def json(self) -> Any:
        """Read the body."""
        return json.loads(self.body)

    @property
    def ids(self) -> Any:
        """Read the list ``ids`` in the body."""
        return self.json["ids"]


Step = Callable[[socket.socket, Seen], bool]
"""What is done with a request; returns whether the connection stays open."""


class Collector:
    """Listen until it is closed; `script` says what each request gets.

    Each step of the script serves one request, the last one all that follow. A test
    may write steps of its own. `requests` are those that came, `connections` counts
    them; *port* 0 is a free one.
    """

    def __init__(self, port: int = 0) -> None:
        self.requests: list[Seen] = []
        self.connections = 0
        self.read_bodies = True
        """False answers when the head of a request has come."""
        self.wrap: Callable[[socket.socket], socket.socket] = lambda sock: sock
        """Wraps each connection: `ssl.SSLContext.wrap_socket` for example."""
        self.released = threading.Event()
        """Ends what hangs and drips."""
        self._script: list[Step] = [self.status(204)]
        self._changed = threading.Condition()
        self._sockets: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/collect?secret=s3cr3t"
        # Somebody may have waited for the port, and be there at once.
        self._threads: list[threading.Thread] = []
        self._threads.append(self._thread(self._accept))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def script(self, *steps: Step) -> None:
        """Say what the next requests get."""
        self._script = list(steps)

    def wait_for(self, number: int, timeout: float = PATIENCE) -> None:
        """Wait until so many requests have come."""
        with self._changed:
            assert self._changed.wait_for(
                lambda: len(self.requests) >= number, timeout
            ), f"only {len(self.requests)} requests came"

    def close(self) -> None:
        """Close all connections, and refuse new ones."""
        self.released.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        # Closed under its feet, it might accept at a new listener of the same number.
        self._threads[0].join(PATIENCE)
        self._listener.close()
        self.drop_connections()
        for thread in self._threads:
            thread.join(PATIENCE)

    def drop_connections(self) -> None:
        """Close the connections that are open now."""
        for sock in list(self._sockets):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    # Steps

    @staticmethod
    def raw(data: bytes, keep: bool = True) -> Step:
        """Answer with *data* as it is; *keep* the connection open."""

        def step(sock: socket.socket, request: Seen) -> bool:  # noqa: ARG001
            sock.sendall(data)
            return keep

        return step

    def status(
        self,
        status: int,
        body: bytes = b"",
        headers: Iterable[str] = (),
        keep: bool = True,
        length: int | None = None,
    ) -> Step:
        """Answer with *status*; *length* is that of the body, or a lie."""
        lines = [f"HTTP/1.1 {status} Whatever", *headers]
        if status not in (204, 304):
            lines.append(f"Content-Length: {len(body) if length is None else length}")
        return self.raw("\r\n".join([*lines, "", ""]).encode() + body, keep)

    def after(self, seconds: float, step: Step) -> Step:
        """Do *step* after so many seconds."""

        def late(sock: socket.socket, request: Seen) -> bool:
            self.released.wait(seconds)
            return step(sock, request)

        return late

    def hang(self, sock: socket.socket, request: Seen) -> bool:  # noqa: ARG002
        """Say nothing for ten seconds, or until released."""
        self.released.wait(PATIENCE)
        return False

    def drip(self, head: bytes) -> Step:
        """Send *head*, and then a byte every 50 ms."""

        def step(sock: socket.socket, request: Seen) -> bool:  # noqa: ARG001
            sock.sendall(head)
            while not self.released.wait(0.05):
                try:
                    sock.sendall(b"x")
                except OSError:
                    break
            return False

        return step

    @staticmethod
    def hang_up(sock: socket.socket, request: Seen) -> bool:  # noqa: ARG004
        """Close the connection without a word."""
        return False

    @staticmethod
    def reset(sock: socket.socket, request: Seen) -> bool:  # noqa: ARG004
        """Reset the connection."""
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    # Inside

    def _thread(self, target: Callable[..., None], *args: Any) -> threading.Thread:
        thread = threading.Thread(target=target, args=args, daemon=True)
        thread.start()
        return thread

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._threads.append(self._thread(self._serve, sock, self.connections))

    def _serve(self, plain: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError), plain, self.wrap(plain) as sock:
            self._sockets.add(sock)
            try:
                self._converse(sock, number)
            finally:
                self._sockets.discard(sock)

    def _converse(self, sock: socket.socket, number: int) -> None:
        rest = b""
        keep = True
        while keep:
            request, rest = self._read(sock, rest, number)
            if request is None:
                return
            with self._changed:
                self.requests.append(request)
                step = self._script[0]
                if len(self._script) > 1:
                    self._script.pop(0)
                self._changed.notify_all()
            keep = step(sock, request)

    def _read(
        self, sock: socket.socket, data: bytes, number: int
    ) -> tuple[Seen | None, bytes]:
        while b"\r\n\r\n" not in data:
            piece = sock.recv(65536)
            if not piece:
                return None, b""
            data += piece
        head, _, rest = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        length = int(headers.get("content-length", 0)) if self.read_bodies else 0
        while len(rest) < length:
            piece = sock.recv(65536)
            if not piece:
                return None, b""
            rest += piece
        body, more = rest[:length], rest[length:]
        return Seen(method, target, headers, body, number, time.monotonic()), more
