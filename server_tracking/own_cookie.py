"""Mark the site's own people: an application that answers a protected POST."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from server_tracking.errors import ConfigurationError
from server_tracking.exchange import Request
from server_tracking.extractor import request_from
from server_tracking.messages import is_same_origin
from server_tracking.tracker import Tracker

__all__ = ["UNMARK", "OwnCookie"]

UNMARK = "unmark"
"""The query of a POST that takes the mark away."""

Source = MutableMapping[str, Any]
Answer = tuple[int, str, list[tuple[str, str]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class OwnCookie:
    """Give the own cookie to whom *permission* knows; mount `wsgi` or `asgi`.

    *permission* takes the environ or the scope, and says whether one of the site's
    own people made the request: from a session, a login, a header of a proxy. It must
    not block where it is mounted in an ASGI application.

    A POST by a page of the site itself is answered 204 with the cookie; one of
    another site, or of somebody unknown, 403; another method 405. With the query
    ``?unmark`` the cookie is taken away, and for that nobody needs a permission.
    """

    def __init__(self, tracker: Tracker, permission: Callable[[Source], bool]) -> None:
        if not callable(permission):
            raise ConfigurationError(
                f"Option 'permission': {permission!r:.80} was given; accepted is a "
                "function of an environ or a scope.",
                option="permission",
            )
        self._tracker = tracker
        self._permission = permission

    def wsgi(
        self, environ: Source, start_response: Callable[..., object]
    ) -> Iterable[bytes]:
        """Answer a WSGI request."""
        status, phrase, headers = self._answer(environ)
        start_response(f"{status} {phrase}", headers)
        return []

    async def asgi(self, scope: Source, _receive: object, send: Send) -> None:
        """Answer an ASGI request."""
        if scope["type"] != "http":
            return
        status, _, headers = self._answer(scope)
        pairs = [(n.lower().encode(), v.encode("latin-1")) for n, v in headers]
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        await send({"type": "http.response.body", "body": b""})

    def _answer(self, source: Source) -> Answer:
        request: Request = request_from(source, settings=self._tracker.settings)
        never_kept = ("Cache-Control", "no-store")
        if request.method != "POST":
            return 405, "Method Not Allowed", [("Allow", "POST"), never_kept]
        marked = request.query != UNMARK
        if not is_same_origin(request) or (marked and not self._permission(source)):
            return 403, "Forbidden", [("Content-Length", "0"), never_kept]
        cookie = self._tracker.own_cookie(request, marked=marked)
        return 204, "No Content", [("Set-Cookie", cookie), never_kept]
