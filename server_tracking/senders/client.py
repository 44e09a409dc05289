"""One HTTP call at a time through requests, within a deadline for the whole of it.

The sockets' own time-outs hold for one operation, so that a server that drips a
byte every second keeps a caller for ever; here, each read gets only what is left
until the deadline.
"""

from __future__ import annotations

import http.client
import io
import logging
import socket
import ssl
import time
from contextvars import ContextVar
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from server_tracking.calls import Call
from server_tracking.errors import TransportError
from server_tracking.senders import handshakes
from server_tracking.senders.quiet import kept_back, unseen_by_sentry
from server_tracking.senders.transports import (
    CONNECT_TIMEOUT,
    LONGEST_ANSWER,
    USER_AGENT,
    Answer,
    UntrustedError,
    sending,
    untraced,
)

__all__ = ["Client"]


class Client:
    """Make calls, each within *timeout* seconds. May be shared by threads.

    Up to *connections* of them are kept open for each host. Proxies and CA
    bundles come from the environment, as requests does it; credentials from
    .netrc, cookies and redirects are not followed.
    """

    def __init__(self, timeout: float, connections: int) -> None:
        self._timeout = timeout
        self._adapter = _Adapter(pool_maxsize=connections)
        self._session = requests.Session()

    def answer(self, call: Call) -> Answer | TransportError:
        """Make *call*; never raises."""
        if (refusal := kept_back(call.url)) is not None:
            return refusal
        attempt = _Attempt(time.monotonic() + self._timeout)
        outer = sending.set(True)
        token = _attempt.set(attempt)
        try:
            with untraced(), unseen_by_sentry():
                return self._answer(call, attempt)
        except Exception as error:  # noqa: BLE001 - whatever it is, there is no answer
            return _failure(error, attempt)
        finally:
            _attempt.reset(token)
            sending.reset(outer)

    def close(self) -> None:
        """Close the connections that are idle."""
        self._adapter.close_idle()

    def _answer(self, call: Call, attempt: _Attempt) -> Answer:
        prepared = requests.PreparedRequest()
        prepared.prepare(
            method=call.method, url=call.url, headers=_headers(call), data=call.body
        )
        try:
            return self._exchange(prepared, attempt)
        except requests.ConnectionError:
            # The other side may close an idle connection at any time (nginx after
            # 60 s): it is as if we had never come. libcurl does the same.
            if not (attempt.dropped and attempt.reused):
                raise
        self._adapter.close()  # forgets them all; another thread's goes on
        attempt.begun = attempt.connected = attempt.sent = attempt.dropped = False
        return self._exchange(prepared, attempt)

    def _exchange(
        self, prepared: requests.PreparedRequest, attempt: _Attempt
    ) -> Answer:
        left = max(0.001, attempt.deadline - time.monotonic())
        settings = self._session.merge_environment_settings(
            prepared.url,
            {},
            True,
            None,
            None,
        )
        response = self._adapter.send(
            prepared,
            timeout=(min(CONNECT_TIMEOUT, left), left),
            verify=settings["verify"] or True,  # None is its word for "as usual"
            proxies=settings["proxies"],
        )
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, headers, _body(response.raw))


class _Attempt:
    """What is known of a call: how far it came, and when it has to end."""

    __slots__ = ("begun", "connected", "deadline", "dropped", "sent", "untrusted")

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.connected = False  # or tried to: the connection is not an old one
        self.begun = False
        self.sent = False
        self.dropped = False
        self.untrusted = False

    @property
    def reused(self) -> bool:
        return self.begun and not self.connected


_attempt: ContextVar[_Attempt] = ContextVar("server_tracking.attempt")


def _headers(call: Call) -> dict[str, str]:
    headers = dict(call.headers)
    if not any(name.lower() == "user-agent" for name in headers):
        headers["User-Agent"] = USER_AGENT
    return headers


def _body(raw: Any) -> bytes:
    """Read an answer, or the most that we want of it; it counts even if it breaks off."""
    try:
        body: bytes = raw.read(LONGEST_ANSWER + 1, decode_content=False)
    except Exception:  # noqa: BLE001 - the status is known, and says all
        raw.close()
        return b""
    if len(body) > LONGEST_ANSWER:
        raw.close()
    return body[:LONGEST_ANSWER]


def _failure(error: Exception, attempt: _Attempt) -> TransportError:
    if attempt.untrusted:
        return UntrustedError("untrusted_certificate", processed=False)
    late = isinstance(error, requests.Timeout) or time.monotonic() >= attempt.deadline
    if attempt.sent:
        return TransportError("timeout" if late else "no_answer", processed=True)
    return TransportError("timeout" if late else "unreachable", processed=False)


class _Deadlined(io.RawIOBase):
    """Read from *sock* until the deadline of the attempt."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline
        self._raw: Any = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        return int(self._raw.readinto(buffer))

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


class _DeadlinedSocket:
    """What `http.client.HTTPResponse` needs of a socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def makefile(self, mode: str) -> io.BufferedReader:  # noqa: ARG002 - always "rb"
        return io.BufferedReader(_Deadlined(self._sock, _attempt.get().deadline))


def _response(
    sock: Any, debuglevel: int = 0, method: str | None = None, url: str | None = None
) -> http.client.HTTPResponse:
    return http.client.HTTPResponse(_DeadlinedSocket(sock), debuglevel, method, url)  # type: ignore[arg-type]


class _Connection(HTTPConnection):
    """Note how far the attempt came."""

    debuglevel = 0  # a site that prints its own calls must not print our secrets
    response_class: Any = staticmethod(_response)

    def connect(self) -> None:
        attempt = _attempt.get()
        attempt.connected = True
        try:
            super().connect()
        except ssl.SSLCertVerificationError:
            attempt.untrusted = True
            raise

    def request(self, *args: Any, **kwargs: Any) -> None:
        attempt = _attempt.get()
        attempt.begun = True
        super().request(*args, **kwargs)
        attempt.sent = True

    def getresponse(self) -> Any:
        try:
            return super().getresponse()
        except ConnectionError:
            _attempt.get().dropped = True
            raise


class _SecureConnection(_Connection, HTTPSConnection):
    """Have forks wait while it makes itself known."""

    _introducing = False

    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        # From here on it is a matter of computing, if the other side answers.
        self._introducing = True
        handshakes.begin()
        return sock

    def connect(self) -> None:
        try:
            super().connect()
        finally:
            if self._introducing:
                self._introducing = False
                handshakes.end()


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Adapter(HTTPAdapter):
    """Use our connections, also through a proxy."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def close_idle(self) -> None:
        """Close connections now; `close` leaves them to the garbage collector."""
        for manager in (self.poolmanager, *self.proxy_manager.values()):
            for key in manager.pools.keys():  # noqa: SIM118 - it is no mapping
                if (pool := manager.pools.get(key)) is not None:
                    pool.close()
        self.close()


_POOLS = {"http": _Pool, "https": _SecurePool}


def _is_not_ours(_: logging.LogRecord) -> bool:
    return not sending.get()


# They log the URLs of calls, which may hold credentials.
for _name in ("urllib3.connectionpool", "urllib3.connection"):
    logging.getLogger(_name).addFilter(_is_not_ours)
