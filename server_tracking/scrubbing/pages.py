"""Less of a page than its path, its title and its referrer, if a site wants that."""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from server_tracking.hits import Page
from server_tracking.patterns import pattern_from

__all__ = ["Narrowing", "narrowed"]

_LONGEST = 2048
_UUID = r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"
_ID = pattern_from(rf"(?<![0-9A-Za-z])(?:{_UUID}|[0-9]{{6,}})(?![0-9A-Za-z])")
# Django, Flask: <int:id>, <id>; Starlette, Pyramid, Bottle: {id}, {id:int}; a group of
# a regular expression: (?P<id>[^/]+).
_VARIABLE = pattern_from(
    r"\(\?P<(\w+)>[^()]*\)|<(?:[^<>:]*:)?(\w+)>|\{(?:\*)?(\w+)(?::[^{}]*)?\}"
)


class Narrowing(msgspec.Struct, frozen=True, kw_only=True):
    """What not to tell of a page.

    *ids* takes UUIDs and numbers of six digits and more out of path and title,
    *origin_only* leaves the host alone of other sites' pages, *by_route* puts the
    framework's pattern in place of the path, where that is known.
    """

    ids: bool = False
    origin_only: bool = False
    by_route: bool = False


def narrowed(page: Page, narrowing: Narrowing) -> Page:
    """Take out of *page*, which is scrubbed already, what is not to be told."""
    path, title, referrer = page.path or "", page.title, page.referrer
    if narrowing.by_route and page.route:
        path = _path_of_route(page.route)
    if narrowing.ids:
        path = _ID.sub("[id]", path)
        title = _ID.sub("[id]", title) if title else title
    if referrer and narrowing.origin_only:
        referrer = _origin(referrer, page.host)
    url = page.url
    if url is not None and path != page.path:
        host = f"://{page.host}"
        origin, _, rest = url.partition(host)
        url = origin + host + path + rest[len(page.path or "") :]
    return msgspec.structs.replace(
        page, url=url, path=path, title=title, referrer=referrer
    )


def _path_of_route(route: str) -> str:
    """Write a pattern as a path: ``/user/<int:id>/`` becomes ``/user/:id/``."""
    text = route[:_LONGEST].removeprefix("^").removesuffix("$")
    text = _VARIABLE.sub(lambda m: f":{m[1] or m[2] or m[3]}", text)
    return quote("/" + text.lstrip("/"), safe="/:*@!,;=+~()[]")


def _origin(referrer: str, own_host: str | None) -> str:
    scheme, _, rest = referrer.partition("://")
    host = rest.partition("/")[0].partition("?")[0]
    return referrer if host == own_host else f"{scheme}://{host}/"
