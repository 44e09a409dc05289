"""Request and Response: the neutral view of one HTTP exchange.

A request is read from a WSGI environ or an ASGI scope piece by piece, when a
piece is asked for. Headers that name an address are not shown: who made the
request is known from `Request.address` alone, which is already anonymous.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

__all__ = [
    "ADDRESS_HEADERS",
    "KEPT_HEADERS",
    "AddressRule",
    "Headers",
    "Request",
    "Response",
    "public_host",
    "request_from_environ",
    "request_from_scope",
]

ADDRESS_HEADERS = frozenset(
    {
        "cf-connecting-ip",
        "client-ip",
        "do-connecting-ip",
        "fastly-client-ip",
        "fly-client-ip",
        "forwarded",
        "true-client-ip",
        "x-azure-clientip",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-envoy-external-address",
        "x-forwarded",
        "x-forwarded-for",
        "x-original-forwarded-for",
        "x-real-ip",
    }
)

KEPT_HEADERS = ("referer", "user-agent", "accept-language")
"""The headers of a request that a context is made from."""

# reg-name, IPv4 or [IPv6], with an optional port; anything else would put the
# client's own text into reports (RFC 9110 section 7.2, RFC 3986 section 3.2.2).
_HOST = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{0,5})?"
)
_LONGEST_HOST = 253 + len(":65535")  # RFC 1035 section 2.3.4
_DEFAULT_PORTS = {"http": "80", "https": "443", "ws": "80", "wss": "443"}

AddressRule = Callable[[str | None, Callable[[str], Sequence[str]]], str | None]
"""Make the anonymous address of a peer and a reader of header lines by name."""


class Headers(Protocol):
    """Look a header up by its lower-case name; several lines are joined."""

    def get(self, name: str, /) -> str | None:
        """Return the value, or None if there is no such header."""
        ...


class Request:
    """One HTTP request, as the site's visitors see it.

    *path* is the public, decoded path with *root_path* (the prefix under which the
    application is mounted) in front; *path_info* is what is left of it for the
    application. *host* has no default port and is None if the client sent none or
    a malformed one and the server does not know its own name. *address* is
    anonymous or None. *query* is raw, without the question mark.
    """

    __slots__ = (
        "address",
        "headers",
        "host",
        "method",
        "path",
        "path_info",
        "query",
        "root_path",
        "scheme",
    )

    def __init__(
        self,
        method: str = "GET",
        path_info: str = "/",
        *,
        scheme: str = "https",
        host: str | None = None,
        root_path: str = "",
        query: str = "",
        headers: Headers | Mapping[str, str] | None = None,
        address: str | None = None,
    ) -> None:
        self.method = method
        self.scheme = scheme
        self.host = host
        self.root_path = root_path
        self.path_info = path_info
        self.path = root_path + path_info or "/"
        self.query = query
        self.headers: Headers = {} if headers is None else headers
        self.address = address

    def detach(self) -> int:
        """Let go of the environ or the scope, but for what a context needs.

        Of the headers, `KEPT_HEADERS` are left. Returns how many characters are kept.
        """
        get = self.headers.get
        kept = {name: value for name in KEPT_HEADERS if (value := get(name))}
        self.headers = kept
        return len(self.path) + len(self.query) + sum(map(len, kept.values()))

    def __repr__(self) -> str:
        # Paths are full of what nobody should find in a log.
        return f"<Request {self.method} of {self.host or 'no host'}>"


class Response:
    """One HTTP answer: status, headers in order, and the body if it lies in memory.

    *headers* is the caller's own list, to which cookies are appended. *body* is
    looked at only if it is bytes, a list or a tuple.
    """

    __slots__ = ("body", "headers", "status")

    def __init__(
        self,
        status: int = 200,
        headers: list[tuple[str, str]] | None = None,
        body: Iterable[bytes] | bytes | None = None,
    ) -> None:
        self.status = status
        self.headers = [] if headers is None else headers
        self.body = body

    def header(self, name: str) -> str | None:
        """Return the first value of the header with this lower-case *name*."""
        for key, value in self.headers:
            if key.lower() == name:
                return value
        return None

    def __repr__(self) -> str:
        return f"<Response {self.status}>"


class _LazyRequest(Request):
    """Read the address, and the parts of the URL, when one is first asked for.

    Python asks `__getattr__` only for what no slot holds yet.
    """

    __slots__ = ("_address_rule", "_source")

    _source: Mapping[str, Any]
    _address_rule: AddressRule

    def __getattr__(self, name: str) -> Any:
        if name == "address":
            self.address = address = self._read_address()
            return address
        if name in _URL_PARTS:
            self._read_url()
        elif name in ("_source", "headers"):
            self._read_kept()
        else:
            raise AttributeError(name)
        return getattr(self, name)

    def _read_address(self) -> str | None:
        raise NotImplementedError

    def _read_url(self) -> None:
        raise NotImplementedError

    def _read_kept(self) -> None:
        raise AttributeError(self)  # what was taken away without leaving a trace


_URL_PARTS = frozenset({"host", "path", "query", "root_path", "scheme"})


class _EnvironRequest(_LazyRequest):
    """View a WSGI *environ* (PEP 3333) as a request."""

    __slots__ = ("_kept", "_script_name")

    def __init__(self, environ: Mapping[str, Any], address_rule: AddressRule) -> None:
        get = environ.get
        self._source = environ
        self._address_rule = address_rule
        self.headers = _EnvironHeaders(get)
        self._script_name: str = get("SCRIPT_NAME") or ""
        self.method = get("REQUEST_METHOD") or "GET"
        self.path_info = path = get("PATH_INFO") or ""
        if not path.isascii():
            self.path_info = _utf8(path)

    def _read_address(self) -> str | None:
        return self._address_rule(self._source.get("REMOTE_ADDR"), self._lines)

    def _lines(self, name: str) -> Sequence[str]:
        value = self._source.get(_header_key(name))
        return (value,) if value else ()

    def detach(self) -> int:
        self.address = self._read_address()  # now: the raw one is not kept
        # A tuple takes 1 µs, and a third of the memory of a dictionary.
        self._kept = kept = tuple(map(self._source.get, _KEPT_KEYS))
        del self._source, self.headers
        by_client = filter(None, kept[: len(_KEYS_BY_CLIENT)])
        return len(self.path_info) + sum(map(len, by_client))

    def _read_kept(self) -> None:
        self._source = kept = dict(zip(_KEPT_KEYS, self._kept, strict=True))
        self.headers = _EnvironHeaders(kept.get)

    def _read_url(self) -> None:
        get = self._source.get
        self.scheme = scheme = get("wsgi.url_scheme") or "http"
        host = public_host(get("HTTP_HOST"), scheme)
        if host is None:
            name, port = get("SERVER_NAME"), get("SERVER_PORT")
            host = public_host(f"{name}:{port}" if port else name, scheme)
        self.host = host
        self.root_path = _utf8(self._script_name).rstrip("/")
        self.path = self.root_path + self.path_info or "/"
        self.query = get("QUERY_STRING") or ""


_KEYS_BY_CLIENT = (
    "HTTP_HOST",
    "QUERY_STRING",
    *(f"HTTP_{name.upper().replace('-', '_')}" for name in KEPT_HEADERS),
)
_KEPT_KEYS = (*_KEYS_BY_CLIENT, "wsgi.url_scheme", "SERVER_NAME", "SERVER_PORT")


class _ScopeRequest(_LazyRequest):
    """View an ASGI HTTP *scope* (specification 2.x) as a request."""

    __slots__ = ()

    def __init__(
        self, scope: MutableMapping[str, Any], address_rule: AddressRule
    ) -> None:
        self._source = scope
        self._address_rule = address_rule
        self.headers = _ScopeHeaders(scope)
        self.method = scope.get("method") or "GET"
        self.root_path = root_path = (scope.get("root_path") or "").rstrip("/")
        path = scope.get("path") or ""
        # The specification puts root_path in front of path; older servers do not.
        if root_path and (path == root_path or path.startswith(root_path + "/")):
            path = path[len(root_path) :]
        self.path_info = path

    def _read_address(self) -> str | None:
        client = self._source.get("client")
        return self._address_rule(client[0] if client else None, self._lines)

    def _lines(self, name: str) -> Sequence[str]:
        raw_name = name.encode("latin-1")
        raw = self._source.get("headers") or ()
        return [v.decode("latin-1") for k, v in raw if k.lower() == raw_name]

    def detach(self) -> int:
        self.address = self._read_address()  # now: the raw one is not kept
        scope = self._source
        query = scope.get("query_string") or b""
        self._source = {key: scope.get(key) for key in _KEPT_OF_SCOPE}
        length = len(self.path_info) + len(query)
        if isinstance(self.headers, _ScopeHeaders):
            length += self.headers.detach()
        return length

    def _read_url(self) -> None:
        scope = self._source
        self.scheme = scheme = scope.get("scheme") or "http"
        host = public_host(self.headers.get("host"), scheme)
        if host is None and (server := scope.get("server")):
            name, port = server
            # A Unix socket has a path for a name and no port.
            if port:
                name = f"[{name}]" if ":" in name else name
                host = public_host(f"{name}:{port}", scheme)
        self.host = host
        self.path = self.root_path + self.path_info or "/"
        self.query = (scope.get("query_string") or b"").decode("latin-1")


request_from_environ: Callable[[Mapping[str, Any], AddressRule], Request]
request_from_environ = _EnvironRequest
request_from_scope: Callable[[MutableMapping[str, Any], AddressRule], Request]
request_from_scope = _ScopeRequest

_KEPT_OF_SCOPE = ("scheme", "server", "query_string")
_KEPT_NAMES = (b"host", *(name.encode() for name in KEPT_HEADERS))


def public_host(value: str | None, scheme: str) -> str | None:
    """Return a well-formed Host without its default port, in lower case."""
    return _host(value, scheme) if value and len(value) <= _LONGEST_HOST else None


@lru_cache(maxsize=256)
def _host(value: str, scheme: str) -> str | None:
    if not _HOST.fullmatch(value):
        return None
    name, colon, port = value.rpartition(":")
    if colon and not value.endswith("]") and port in ("", _DEFAULT_PORTS.get(scheme)):
        value = name
    return value.lower()


def _utf8(text: str) -> str:
    """Undo the Latin-1 disguise in which PEP 3333 hands on the bytes of a path."""
    if text.isascii():
        return text
    return text.encode("latin-1", "replace").decode("utf-8", "replace")


class _EnvironHeaders:
    __slots__ = ("_get",)

    def __init__(self, get: Callable[[str], Any]) -> None:
        self._get = get

    def get(self, name: str, /) -> str | None:
        value: str | None = self._get(_ENVIRON_KEYS[name])
        return value


class _EnvironKeys(dict[str, str]):
    """Keys by names, which come from our own code and the site's, never from clients."""

    def __missing__(self, name: str) -> str:
        # Headers that name an address have a key that is in no environ.
        key = "hidden" if name in ADDRESS_HEADERS else _header_key(name)
        self[name] = key
        return key


_ENVIRON_KEYS = _EnvironKeys()


def _header_key(name: str) -> str:
    key = name.upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else "HTTP_" + key


class _ScopeHeaders:
    __slots__ = ("_found", "_raw")

    def __init__(self, scope: Mapping[str, Any]) -> None:
        self._raw: Sequence[tuple[bytes, bytes]] = scope.get("headers") or ()
        self._found: dict[bytes, bytes] | None = None

    def get(self, name: str, /) -> str | None:
        found = self._found
        if found is None:
            found = self._found = self._read()
        value = found.get(_RAW_NAMES[name])
        return None if value is None else value.decode("latin-1")

    def detach(self) -> int:
        """Keep what a context needs; returns how many bytes that is."""
        found = self._read() if self._found is None else self._found
        kept = {name: value for name in _KEPT_NAMES if (value := found.get(name))}
        self._found, self._raw = kept, ()
        return sum(map(len, kept.values()))

    def _read(self) -> dict[bytes, bytes]:
        raw = list(self._raw)
        found = dict(raw)
        # Servers write names in lower case (ASGI specification, HTTP scope), so that
        # one look at all of them is enough: 1 µs less.
        if not b"".join(found).islower() or len(found) < len(raw):
            found.clear()
            for given, value in raw:
                name = given.lower()
                # HTTP/2 splits cookies over lines (RFC 9113 section 8.2.3).
                between = b"; " if name == b"cookie" else b", "
                found[name] = found[name] + between + value if name in found else value
        return found


class _RawNames(dict[str, bytes]):
    """Names as servers write them."""

    def __missing__(self, name: str) -> bytes:
        # No header has a blank in its name.
        raw = b"not shown" if name in ADDRESS_HEADERS else name.encode("latin-1")
        self[name] = raw
        return raw


_RAW_NAMES = _RawNames()
