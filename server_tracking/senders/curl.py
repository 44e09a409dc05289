"""Calls through libcurl's multi interface: any number in flight from one thread.

Measured against requests, it costs a thirtieth of the CPU for a call, and its
deadline holds against a server that drips bytes.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import socket
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

from server_tracking.calls import Call
from server_tracking.errors import TransportError
from server_tracking.senders.quiet import is_free, kept_back
from server_tracking.senders.transports import (
    CONNECT_TIMEOUT,
    LONGEST_ANSWER,
    USER_AGENT,
    Answer,
    Landing,
    UntrustedError,
)
from server_tracking.senders.watching import READ, WRITE, make_watch

__all__ = ["CurlTransport"]

MOST_IDLE = 128  # handles and connections kept for the next calls
LONGEST_KNOWN = 200  # bytes of a header line that is remembered: answers repeat them


class CurlTransport:
    """Carry calls with pycurl, each within *timeout* seconds.

    Raises `ImportError` where pycurl does not work. Proxies come from the
    environment, as libcurl does it, CA bundles as requests does it.
    """

    capacity = None

    def __init__(self, timeout: float) -> None:
        # Optional, and without type information.
        self._curl: Any = importlib.import_module("pycurl")
        # The newer name where there is one: the other is deprecated.
        self._uploaded = getattr(self._curl, "SIZE_UPLOAD_T", self._curl.SIZE_UPLOAD)
        self._timeout = timeout
        bundle = _ca_bundle()
        # A directory of certificates is as good as a file, for requests.
        is_folder = bundle is not None and Path(bundle).is_dir()
        kind = self._curl.CAPATH if is_folder else self._curl.CAINFO
        self._trust = [(kind, bundle)] if bundle else []
        self._watch = make_watch()
        self._ear, self._bell = socket.socketpair()
        self._ear.setblocking(False)
        self._bell.setblocking(False)
        self._watch.add(self._ear.fileno(), READ)
        curl = self._curl
        self._masks = {
            curl.POLL_IN: READ,
            curl.POLL_OUT: WRITE,
            curl.POLL_INOUT: READ | WRITE,
        }
        self._actions = {
            READ: curl.CSELECT_IN,
            WRITE: curl.CSELECT_OUT,
            READ | WRITE: curl.CSELECT_IN | curl.CSELECT_OUT,
        }
        self._multi: Any = self._curl.CurlMulti()
        # Left alone, libcurl keeps four for each call that is under way just now, and
        # closes them when many calls end together.
        self._multi.setopt(self._curl.M_MAXCONNECTS, MOST_IDLE)
        self._multi.setopt(self._curl.M_SOCKETFUNCTION, self._on_socket)
        self._multi.setopt(self._curl.M_TIMERFUNCTION, self._on_timer)
        self._timer: float | None = None  # when libcurl wants to be called
        self._watched: set[int] = set()
        self._flying: set[_Flight] = set()
        self._idle: list[Any] = []
        self._kept_back: list[Landing] = []
        self._is_free = False  # to call anywhere; asked once a turn, it takes 2 µs

    def start(self, call: Call, token: object) -> None:
        """Begin *call*."""
        if not self._is_free:
            self._is_free = is_free()
            if not self._is_free and (refusal := kept_back(call.url)) is not None:
                self._kept_back.append((token, refusal))
                return
        handle = self._idle.pop() if self._idle else self._new_handle()
        flight: _Flight = handle.flight
        earlier, curl = flight.call, self._curl
        # What is as it was in the handle's last call need not be set again.
        if earlier is None or call.url != earlier.url:
            handle.setopt(curl.URL, call.url)
        if earlier is None or call.headers != earlier.headers:
            handle.setopt(curl.HTTPHEADER, _header_lines(call))
        if call.body or call.method == "POST":
            handle.setopt(curl.POSTFIELDS, call.body)  # makes it a POST
        else:
            handle.setopt(curl.HTTPGET, 1)
        if earlier is None or call.method != earlier.method:
            handle.setopt(curl.CUSTOMREQUEST, call.method)
        flight.begin(call, token)
        self._multi.add_handle(handle)
        self._flying.add(flight)

    def wait(self, timeout: float | None) -> list[Landing]:
        """Move calls on until some have ended."""
        self._is_free = False
        if self._kept_back:
            kept, self._kept_back = self._kept_back, []
            return kept
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            woken = self._step(deadline)
            landings = self._landings()
            if landings or woken:
                return landings
            if deadline is not None and time.monotonic() >= deadline:
                return []

    def wake(self) -> None:
        """End the present wait, or the next."""
        with contextlib.suppress(OSError):  # it rings already, or is closed
            self._bell.send(b"!")

    def close(self) -> None:
        """Break off what is under way, and free all."""
        for flight in self._flying:
            self._multi.remove_handle(flight.handle)
            flight.handle.close()
        for handle in self._idle:
            handle.close()
        self._flying.clear()
        self._idle.clear()
        self._multi.close()
        self._watch.close()
        self._ear.close()
        self._bell.close()

    def _new_handle(self) -> Any:
        curl = self._curl
        handle = curl.Curl()
        handle.flight = flight = _Flight(handle)
        for option, value in (
            (curl.HEADERFUNCTION, flight.lines.append),
            (curl.WRITEFUNCTION, flight.take),
            (curl.NOSIGNAL, 1),
            (curl.PROTOCOLS, curl.PROTO_HTTP | curl.PROTO_HTTPS),
            (curl.FOLLOWLOCATION, 0),
            # One call for each connection, so that it is plain how far it came.
            (curl.HTTP_VERSION, curl.CURL_HTTP_VERSION_1_1),
            (curl.CONNECTTIMEOUT_MS, int(1000 * min(CONNECT_TIMEOUT, self._timeout))),
            (curl.TIMEOUT_MS, max(1, int(1000 * self._timeout))),
            *self._trust,
        ):
            handle.setopt(option, value)
        return handle

    # libcurl tells which sockets to watch, and when to be called next.

    def _on_socket(self, event: int, fd: int, _multi: object, _data: object) -> None:
        watched = self._watched
        if mask := self._masks.get(event, 0):
            (self._watch.change if fd in watched else self._watch.add)(fd, mask)
            watched.add(fd)
        elif fd in watched:  # POLL_REMOVE
            watched.remove(fd)
            self._watch.drop(fd)

    def _on_timer(self, milliseconds: int) -> None:
        self._timer = (
            None if milliseconds < 0 else time.monotonic() + milliseconds / 1000
        )

    def _step(self, deadline: float | None) -> bool:
        """Wait for one thing to happen; True if it was the bell."""
        ends = [end for end in (deadline, self._timer) if end is not None]
        patience = max(0.0, min(ends) - time.monotonic()) if ends else None
        woken = False
        for fd, mask in self._watch.wait(patience):
            if fd == self._ear.fileno():
                self._ear.recv(4096)
                woken = True
            else:
                self._multi.socket_action(fd, self._actions[mask])
        if self._timer is not None and time.monotonic() >= self._timer:
            self._timer = None
            self._multi.socket_action(self._curl.SOCKET_TIMEOUT, 0)
        return woken

    def _landings(self) -> list[Landing]:
        landings: list[Landing] = []
        left = 1
        while left:
            left, good, bad = self._multi.info_read()
            ended = [(handle, None) for handle in good]
            ended += [(handle, code) for handle, code, _ in bad]
            for handle, code in ended:
                flight = handle.flight
                self._multi.remove_handle(handle)
                self._flying.discard(flight)
                landings.append((flight.token, self._result(flight, code)))
                if len(self._idle) < MOST_IDLE:
                    self._idle.append(handle)
                else:
                    handle.close()
        return landings

    def _result(self, flight: _Flight, code: int | None) -> Answer | TransportError:
        status = flight.handle.getinfo(self._curl.RESPONSE_CODE)
        headers = _headers_from(flight.lines)
        if status < 200 or headers is None:
            return self._failure(flight, code)
        body = b"".join(flight.pieces)
        return Answer(status, headers, body)  # even if it broke off

    def _failure(self, flight: _Flight, code: int | None) -> TransportError:
        curl = self._curl
        if code == curl.E_PEER_FAILED_VERIFICATION:
            return UntrustedError("untrusted_certificate", processed=False)
        info = flight.handle.getinfo
        sent = (
            info(curl.PRETRANSFER_TIME) > 0
            and info(curl.REQUEST_SIZE) > 0
            and flight.call is not None
            and info(self._uploaded) >= len(flight.call.body)
        )
        if code == curl.E_OPERATION_TIMEDOUT:
            return TransportError("timeout", processed=sent)
        return TransportError("no_answer" if sent else "unreachable", processed=sent)


class _Flight:
    """The call that *handle* carries now, or carried last."""

    __slots__ = ("call", "handle", "lines", "pieces", "room", "token")

    def __init__(self, handle: Any) -> None:
        self.handle = handle
        self.call: Call | None = None
        self.token: object = None
        self.lines: list[bytes] = []
        self.pieces: list[bytes] = []
        self.room = LONGEST_ANSWER

    def begin(self, call: Call, token: object) -> None:
        """Forget the last call, and expect the answer to *call*."""
        self.call = call
        self.token = token
        self.lines.clear()
        self.pieces.clear()
        self.room = LONGEST_ANSWER

    def take(self, piece: bytes) -> int | None:
        """Keep a piece of the answer; what is too much breaks the call off."""
        room = self.room
        self.pieces.append(piece[:room])
        self.room = max(0, room - len(piece))
        return None if len(piece) <= room else -1


def _header_lines(call: Call) -> list[bytes]:
    lines = [
        f"{name}: {value}".encode("latin-1") if value else f"{name};".encode()
        for name, value in call.headers.items()
    ]
    given = {name.lower() for name in call.headers}
    lines += [line for name, line in _OWN_HEADERS if name not in given]
    return lines


_OWN_HEADERS = (
    ("user-agent", f"User-Agent: {USER_AGENT}".encode()),
    # Without a value: libcurl adds these of its own, and shall not.
    ("content-type", b"Content-Type:"),
    ("expect", b"Expect:"),
)


def _headers_from(lines: list[bytes]) -> dict[str, str] | None:
    """Read the last head (a proxy's, and 1xx ones, come before); None if it broke off."""
    headers: dict[str, str] = {}
    whole = False
    for line in lines:
        if line.startswith(b"HTTP/"):
            headers.clear()
            whole = False
        elif line in _BLANK:
            whole = True
        else:
            field = _field_of(line) if len(line) < LONGEST_KNOWN else _parted(line)
            if field is not None:
                key, text = field
                headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers if whole else None


_BLANK = (b"\r\n", b"\n")


def _parted(line: bytes) -> tuple[str, str] | None:
    name, colon, value = line.decode("latin-1").partition(":")
    return (name.strip().lower(), value.strip()) if colon else None


_field_of = lru_cache(maxsize=256)(_parted)


def _ca_bundle() -> str | None:
    """Find the bundle that requests would use: pycurl's wheels bring none."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if path := os.environ.get(name):
            return path
    try:
        return str(importlib.import_module("certifi").where())  # comes with requests
    except ImportError:
        return None
