"""A browser and a server in one: ask a WSGI or an ASGI application, in process.

Pieces of bodies arrive as a real server would take them, one by one. Only what the
core needs anyway is used, no HTTP library.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal
from urllib.parse import quote, unquote
from wsgiref.util import FileWrapper, setup_testing_defaults

import anyio
import anyio.lowlevel
import msgspec

__all__ = ["BROWSER", "Answer", "Ask", "Client", "HandledError", "SiteError"]

BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "de,en-GB;q=0.8",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "none",
}
"""What a browser sends that opens a page."""

Kind = Literal["wsgi", "asgi"]
Pairs = Sequence[tuple[str, str]]


class SiteError(Exception):
    """What the route ``/error`` raises, and nobody handles; no other is kept."""


class HandledError(SiteError):
    """What the route ``/handled`` raises, and an error handler makes a page of."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One request.

    *path* is decoded and holds *root*, the prefix under which the server mounts the
    application. *leave_after* is the number of body pieces after which the visitor
    goes away, *on_piece* is called when one arrives.
    """

    method: str = "GET"
    path: str = "/"
    query: str = ""
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    body: bytes = b""
    scheme: str = "http"
    root: str = ""
    peer: str = "203.0.113.77"
    leave_after: int | None = None
    on_piece: Callable[[bytes], object] | None = None


class Answer(msgspec.Struct, frozen=True):
    """What came back.

    *error* is what the application raised; without an answer before it, the status
    is 500, as a server would make it.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    pieces: tuple[bytes, ...]
    error: BaseException | None = None

    @property
    def body(self) -> bytes:
        """The whole body."""
        return b"".join(self.pieces)

    def header(self, name: str) -> str | None:
        """Return the first value of the header *name*, of lower case."""
        return next((v for k, v in self.headers if k.lower() == name), None)

    @property
    def cookies(self) -> dict[str, str]:
        """Each Set-Cookie value, by the cookie's name."""
        values = [v.strip() for k, v in self.headers if k.lower() == "set-cookie"]
        return {value.partition("=")[0]: value for value in values}


class Client:
    """A visitor's browser that opens pages of *app* and keeps its cookies."""

    def __init__(self, kind: Kind, app: Any) -> None:
        self.kind = kind
        self.app = app
        self.cookies: dict[str, str] = {}

    def get(self, path: str = "/", **more: Any) -> Answer:
        """Ask for *path*; *more* are fields of `Ask`."""
        return self.ask("GET", path, **more)

    def post(self, path: str, **more: Any) -> Answer:
        """Post to *path*; *more* are fields of `Ask`."""
        return self.ask("POST", path, **more)

    def ask(self, method: str, path: str, **more: Any) -> Answer:
        """Make a request with the cookies kept so far."""
        headers = {**BROWSER, **more.pop("headers", {})}
        if self.cookies:
            pairs = (f"{name}={value}" for name, value in self.cookies.items())
            headers["Cookie"] = "; ".join(pairs)
        ask = Ask(method=method, path=path, headers=headers, **more)
        [answer] = self._serve([ask])
        for name, cookie in answer.cookies.items():
            self.cookies[name] = cookie.partition("=")[2].partition(";")[0]
            if "max-age=0" in cookie.lower():
                del self.cookies[name]
        return answer

    def in_turns(self, paths: Iterable[str], **more: Any) -> list[Answer]:
        """Open *paths* as many visitors, taking a piece of each body in turn."""
        return self._serve(_asks(paths, more))

    def at_once(self, paths: Iterable[str], **more: Any) -> list[Answer]:
        """Open *paths* as many visitors, in threads (WSGI) or tasks (ASGI)."""
        asks = _asks(paths, more)
        if self.kind == "asgi":
            return self._serve(asks)
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(lambda ask: self._serve([ask])[0], asks))

    def _serve(self, asks: Sequence[Ask]) -> list[Answer]:
        if self.kind == "wsgi":
            return _serve_wsgi(self.app, asks)
        answers: list[Answer] = anyio.run(_serve_asgi, self.app, asks)
        return answers


def _asks(paths: Iterable[str], more: Mapping[str, Any]) -> list[Ask]:
    return [Ask(path=path, headers=BROWSER, **more) for path in paths]


# WSGI (PEP 3333)


class _WSGIExchange:
    def __init__(self, app: Any, ask: Ask) -> None:
        self._app = app
        self._ask = ask
        self._status = 500
        self._headers: Pairs = ()
        self._pieces: list[bytes] = []
        self._error: BaseException | None = None
        self._body: Any = None
        self._next: Callable[[], bytes] | None = None

    def step(self) -> bool:
        """Begin, or take one piece; False if there is none."""
        ask = self._ask
        try:
            if self._next is None:
                self._body = self._app(_environ(ask), self._start_response)
                self._next = iter(self._body).__next__
                return True
            self._take(self._next())
        except (StopIteration, SiteError) as error:
            if isinstance(error, SiteError):
                self._error = error
            return False
        return ask.leave_after is None or len(self._pieces) < ask.leave_after

    def end(self) -> Answer:
        """Close the body, as every server has to."""
        close = getattr(self._body, "close", None)
        if close is not None:
            close()
        headers, pieces = tuple(self._headers), tuple(self._pieces)
        return Answer(self._status, headers, pieces, self._error)

    def _take(self, piece: bytes) -> None:
        if piece:
            assert self._headers is not None, "a body without a head"
            self._pieces.append(piece)
            if self._ask.on_piece is not None:
                self._ask.on_piece(piece)

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        if exc_info and self._pieces:
            raise exc_info[1].with_traceback(exc_info[2])
        self._status = int(status.partition(" ")[0])
        self._headers = list(headers)
        return self._take


def _serve_wsgi(app: Any, asks: Sequence[Ask]) -> list[Answer]:
    exchanges = [_WSGIExchange(app, ask) for ask in asks]
    unfinished = exchanges
    while unfinished:
        unfinished = [exchange for exchange in unfinished if exchange.step()]
    return [exchange.end() for exchange in exchanges]


def _environ(ask: Ask) -> dict[str, Any]:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": ask.method,
        "SCRIPT_NAME": _latin(ask.root),
        "PATH_INFO": _latin(ask.path.removeprefix(ask.root)),
        "QUERY_STRING": ask.query,
        "REMOTE_ADDR": ask.peer,
        "HTTP_HOST": "example.com",
        "CONTENT_LENGTH": str(len(ask.body)),
        "wsgi.url_scheme": ask.scheme,
        "wsgi.input": io.BytesIO(ask.body),
        "wsgi.file_wrapper": FileWrapper,
        "wsgi.multithread": True,
    }
    for name, value in ask.headers.items():
        environ["HTTP_" + name.upper().replace("-", "_")] = value
    setup_testing_defaults(environ)
    return environ


def _latin(path: str) -> str:
    return path.encode().decode("latin-1")


# ASGI (specification 3.0, HTTP 2.4)


class _ASGIExchange:
    def __init__(self, app: Any, ask: Ask) -> None:
        self._app = app
        self._ask = ask
        self._status = 500
        self._headers: Pairs = ()
        self._pieces: list[bytes] = []
        self._error: BaseException | None = None
        self._left = False
        self._over = anyio.Event()
        self._unread: list[tuple[bytes, bool]] = [
            (ask.body[:2], True),
            (ask.body[2:], False),
        ]

    async def run(self) -> None:
        try:
            await self._app(_scope(self._ask), self._receive, self._send)
        except Exception as error:
            self._error = error
            # Frameworks have errors of their own for a visitor who has left.
            if self._left or isinstance(error, SiteError):
                return
            raise

    def answer(self) -> Answer:
        headers, pieces = tuple(self._headers), tuple(self._pieces)
        return Answer(self._status, headers, pieces, self._error)

    async def _receive(self) -> dict[str, Any]:
        if self._unread:
            body, more = self._unread.pop(0)
            return {"type": "http.request", "body": body, "more_body": more}
        await self._over.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = [
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in message.get("headers", ())
            ]
        else:
            assert message["type"] == "http.response.body", message["type"]
            self._take(message.get("body", b""))
            if not message.get("more_body", False):
                self._over.set()
        # Other requests have their turn here, as at a real socket.
        await anyio.lowlevel.checkpoint()

    def _take(self, piece: bytes) -> None:
        stay = self._ask.leave_after
        if stay is not None and len(self._pieces) >= stay:
            self._left = True
            self._over.set()
            raise OSError("the visitor has left")
        if piece:
            self._pieces.append(piece)
            if self._ask.on_piece is not None:
                self._ask.on_piece(piece)


async def _serve_asgi(app: Any, asks: Sequence[Ask]) -> list[Answer]:
    exchanges = [_ASGIExchange(app, ask) for ask in asks]
    async with anyio.create_task_group() as group:
        for exchange in exchanges:
            group.start_soon(exchange.run)
    return [exchange.answer() for exchange in exchanges]


def _scope(ask: Ask) -> dict[str, Any]:
    headers = {"Host": "example.com", **ask.headers}
    if ask.body:
        headers["Content-Length"] = str(len(ask.body))
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": ask.method,
        "scheme": ask.scheme,
        "path": unquote(ask.path),
        "raw_path": quote(ask.path).encode(),
        "root_path": ask.root,
        "query_string": ask.query.encode(),
        "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
        "client": (ask.peer, 40000),
        "server": ("127.0.0.1", 8000),
        "state": {},
        "extensions": {},
    }
