"""Make page views of requests that were served, by the rules of the site."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections import Counter, OrderedDict
from urllib.parse import unquote_to_bytes
from uuid import UUID

import msgspec

from server_tracking.exchange import Request, public_host
from server_tracking.extractor import Extractor, Recognition, request_from
from server_tracking.filters import is_in_sample, refusal_of_response
from server_tracking.hits import PageView, Session
from server_tracking.reasons import Reason
from server_tracking.replaying.lines import Served
from server_tracking.settings import Settings
from server_tracking.visitors import Identity, session_at

__all__ = ["Retelling"]

MOST_VISITORS = 100_000  # about 50 MB; who comes again after them begins a new visit
_DAY = 86400
_FILE = re.compile(
    r"\.(?:avif|bmp|css|csv|eot|gif|gz|ico|jpe?g|m?js|json|map|mp[34]|og[gv]|otf|pdf|"
    r"png|rss|svg|tar|tiff?|ttf|txt|wasm|web[mp]|webmanifest|woff2?|xml|zip)$",
    re.IGNORECASE,
)


class Retelling:
    """Tell page views of served requests; keeps who was there, as far as needed.

    Logs have no cookies. A visitor is who has the same address and user agent on
    the same day (UTC); the id is a hash of them with the site's key, so that nobody
    can find the address out, and that a second reading gives the same.
    """

    def __init__(
        self, settings: Settings, host: str, scheme: str, share: float = 1.0
    ) -> None:
        """*share* is that of all visitors who are kept here."""
        self._extractor = Extractor(settings)
        self._settings = settings
        self._rules = settings.session_rules
        self._host = host
        self._scheme = scheme
        self._most = int(MOST_VISITORS * share)
        keys = settings.secret_keys or (secrets.token_urlsafe(32),)
        self._key = hashlib.sha256(keys[0].encode()).digest()
        self._known: OrderedDict[bytes, Identity] = OrderedDict()
        self.refused: Counter[str] = Counter()

    def hit(self, served: Served, number: int) -> PageView | None:
        """Make the page view of *served*, line *number* of the log; None if none."""
        followed = self.follow(served)
        if followed is None:
            return None
        request, recognition = followed
        context = self._extractor.context(request, recognition)
        return PageView(context=context, time=served.time, id=self._id(served, number))

    def follow(self, served: Served) -> tuple[Request, Recognition] | None:
        """Go on with the visit of who asked for *served*; None if it is no page view.

        That is all that has to be known of a hit that was told before.
        """
        request = self._request(served)
        reason = self._extractor.page_refusal(request) or refusal_of_response(
            served.status, _content_type(served), None
        )
        if reason is not None:
            self.refused[reason] += 1
            return None
        recognition = self._extractor.recognize(request, served.time)
        if recognition.refusal not in (None, Reason.SAMPLED):
            self.refused[str(recognition.refusal)] += 1
            return None
        identity, session = self._visit(served)
        if not is_in_sample(identity.client_id, self._settings.sample_rate):
            self.refused[Reason.SAMPLED] += 1
            return None
        recognition = msgspec.structs.replace(
            recognition, refusal=None, identity=identity, session=session
        )
        return request, recognition

    def _request(self, served: Served) -> Request:
        target, _, query = served.target.partition("?")
        environ = {
            "REQUEST_METHOD": served.method,
            "PATH_INFO": unquote_to_bytes(_bytes(target)).decode("latin-1"),
            "QUERY_STRING": _bytes(query).decode("latin-1"),
            "REMOTE_ADDR": served.address,
            "HTTP_HOST": served.host or self._host,
            "HTTP_REFERER": served.referrer,
            "HTTP_ACCEPT": "text/html",  # logs do not say; _content_type guesses
            "wsgi.url_scheme": self._scheme,
        }
        if served.user_agent:
            environ["HTTP_USER_AGENT"] = served.user_agent
        if public_host(environ["HTTP_HOST"], self._scheme) is None:
            environ["HTTP_HOST"] = self._host
        return request_from(environ, settings=self._settings)

    def _visit(self, served: Served) -> tuple[Identity, Session]:
        day = int(served.time) // _DAY
        key = self._hash(f"{day} {served.address} {served.user_agent}")
        known = self._known.pop(key, None)
        identity, session, _ = session_at(known, served.time, self._rules)
        if known is None:
            number = int.from_bytes(key[:4]) & 0x7FFFFFFF
            client_id = f"{number}.{int(served.time)}"
            identity = msgspec.structs.replace(identity, client_id=client_id)
            if len(self._known) >= self._most:
                self._known.popitem(last=False)
        self._known[key] = identity
        return identity, session

    def _id(self, served: Served, number: int) -> UUID:
        told = f"{number} {served.time} {served.address} {served.target}"
        return UUID(bytes=self._hash(told), version=4)

    def _hash(self, text: str) -> bytes:
        data = text.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(data, digest_size=16, key=self._key).digest()


def _bytes(text: str) -> bytes:
    """Return what stood in the log, as WSGI wants to have it (PEP 3333)."""
    return text.encode("utf-8", "surrogateescape")


def _content_type(served: Served) -> str:
    """Tell the content type, by the end of the path where the log does not."""
    if served.content_type:
        return served.content_type
    path = served.target.partition("?")[0]
    return "application/octet-stream" if _FILE.search(path) else "text/html"
