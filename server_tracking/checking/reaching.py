"""Find out how calls leave: through which proxy, and whether names resolve."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import msgspec

from server_tracking.checking.asking import called_by
from server_tracking.checking.findings import Way
from server_tracking.systems import System

__all__ = ["proxy_of", "resolved", "ways_of"]

_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


def ways_of(system: System, now: float) -> Iterator[Way]:
    """List the hosts that *system* calls, without asking anybody."""
    known = {}
    for url in called_by(system, now):
        parts = urlsplit(url)
        known[_host(parts.scheme, parts.hostname, parts.port)] = url
    for host, url in known.items():
        yield Way(host, proxy_of(url))


def proxy_of(url: str) -> str:
    """Return host and port of the proxy that the environment names for *url*, or ""."""
    from requests.utils import get_environ_proxies, select_proxy

    proxy = select_proxy(url, get_environ_proxies(url))
    if not proxy:
        return ""
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    try:
        port = parts.port
    except ValueError:
        port = None
    return _host(parts.scheme, parts.hostname, port)


def resolved(way: Way) -> Way:
    """Look up the name that a call has to know: the proxy's, or else the host's.

    Blocks as long as the resolver of the system takes.
    """
    name, _, port = (way.proxy or way.host).rpartition(":")
    begun = time.perf_counter()
    try:
        found = socket.getaddrinfo(name.strip("[]"), int(port), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # UnicodeError: it is no name at all
        why = getattr(error, "strerror", None) or str(error)
        return msgspec.structs.replace(way, addresses=0, failure=f"{name}: {why}")
    took = (time.perf_counter() - begun) * 1000
    number = len({address[4][0] for address in found})
    return msgspec.structs.replace(way, addresses=number, ms=round(took, 1))


def _host(scheme: str, host: str | None, port: int | None) -> str:
    name = f"[{host}]" if host and ":" in host else host or ""
    return f"{name}:{port or _PORTS.get(scheme, 443)}"
