"""From a request to a context: all that can be told about a hit before it happens."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, MutableMapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from server_tracking.addresses import anonymized, visitor_address
from server_tracking.bots import is_bot
from server_tracking.campaigns import campaign_from
from server_tracking.consent import ConsentState, Decision, decision
from server_tracking.cookies import CookieSigner, cookie_header, cookie_value
from server_tracking.exchange import (
    AddressRule,
    Request,
    Response,
    request_from_environ,
    request_from_scope,
)
from server_tracking.hits import (
    Campaign,
    Consent,
    Context,
    Device,
    Page,
    Session,
    Visitor,
)
from server_tracking.languages import language_from
from server_tracking.reasons import Reason
from server_tracking.scrubbing import (
    DEFAULT_KEEP,
    scrubbed_referrer,
    scrubbed_text,
    scrubbed_url,
    scrubbed_user_id,
)
from server_tracking.settings import Settings
from server_tracking.titles import HtmlTitleExtractor, content_charset, title_from
from server_tracking.visitors import (
    Identity,
    identity_from,
    new_client_id,
    session_at,
)

__all__ = [
    "Extractor",
    "Recognition",
    "extractor_from",
    "get_default_parameters",
    "get_title",
    "may_carry_cookie",
    "request_from",
]

_DAY = 24 * 3600
_STATUS_MAX_AGE = 180 * _DAY
_TITLE_LIMIT = 512
_USER_AGENT_LIMIT = 512
_CAMPAIGN_LIMIT = 200


class Recognition(msgspec.Struct, frozen=True):
    """Who made a request, as far as the visitor allows to know.

    *refusal* says why nothing may be sent, or is None. *identity* is what the id
    cookie shall say, *renew* whether it has to be written for that.
    """

    decision: Decision
    refusal: Reason | None = None
    identity: Identity | None = None
    session: Session | None = None
    renew: bool = False


class Extractor:
    """Make contexts by one site's settings. It keeps nothing of a request."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        keys = settings.secret_keys or (secrets.token_urlsafe(32),)
        self._ids = CookieSigner(keys, "visitor", settings.cookie_salt)
        self._own = CookieSigner(keys, "own", settings.cookie_salt)
        self._statuses = {
            settings.cookie_status_accepted: ConsentState.GRANTED,
            settings.cookie_status_refused: ConsentState.DENIED,
        }
        self._keep: frozenset[str] | str = (
            "all"
            if settings.keep_params == "all"
            else DEFAULT_KEEP | frozenset(settings.keep_params)
        )
        self.address_rule: AddressRule = _address_rule(settings)

    def recognize(
        self, request: Request, now: float, *, action: str | None = None
    ) -> Recognition:
        """Read consent, own mark and identity of *request* at *now* (Unix seconds).

        *action* is what the visitor has just decided, if not by the action cookie.
        """
        settings = self.settings
        header = request.headers.get
        cookies = header("cookie")
        decided = self._decision(action, cookies, header)
        refusal = self._refusal(decided, cookies, header)
        if refusal is not None:
            return Recognition(decided, refusal)
        cookie = self._ids.verified(cookie_value(cookies, settings.cookie_name))
        known = identity_from(cookie, now, settings.cookie_max_age)
        identity, session, renew = session_at(known, now, settings.session_rules)
        if decided.keep != bool(identity.granted):
            granted = int(now) if decided.keep else 0
            identity = msgspec.structs.replace(identity, granted=granted)
            renew = True
        return Recognition(decided, None, identity, session, renew)

    def cookies(
        self, request: Request, recognition: Recognition, now: float
    ) -> list[str]:
        """Write the Set-Cookie values that follow from *recognition*."""
        settings = self.settings
        decided, identity = recognition.decision, recognition.identity
        written = []
        if decided.changed and recognition.refusal is not Reason.OWN:
            accepted = decided.state is ConsentState.GRANTED
            status = (
                settings.cookie_status_accepted
                if accepted
                else settings.cookie_status_refused
            )
            # The site's script reads both.
            written += [
                self._cookie(
                    request, settings.cookie_status, status, _STATUS_MAX_AGE, False
                ),
                self._cookie(request, settings.cookie_action, "", 0, False),
            ]
        if identity is not None and recognition.renew:
            max_age = None
            if identity.granted:
                max_age = settings.cookie_max_age - (int(now) - identity.granted)
            value = self._ids.sign(identity.cookie)
            written.append(self._cookie(request, settings.cookie_name, value, max_age))
        elif decided.state is ConsentState.DENIED and cookie_value(
            request.headers.get("cookie"), settings.cookie_name
        ):
            written.append(self._cookie(request, settings.cookie_name, "", 0))
        return written

    def own_cookie(self, request: Request) -> str:
        """Write the Set-Cookie value that marks the sender as the site's own."""
        value = self._own.sign("1")
        name = self.settings.own_cookie_name
        return self._cookie(request, name, value, self.settings.cookie_max_age)

    def context(
        self,
        request: Request,
        recognition: Recognition,
        *,
        title: str | None = None,
        route: str | None = None,
        encoding: str | None = None,
        user_id: str | None = None,
    ) -> Context:
        """Tell who, where and how; personal data is taken out of all strings."""
        identity, session = recognition.identity, recognition.session
        if identity is None or session is None:
            visitor, session = _nobody(time.time())
        else:
            is_new = session.is_new and session.number == 1
            visitor = Visitor(identity.client_id, scrubbed_user_id(user_id), is_new)
        return Context(
            visitor,
            session,
            self._page(request, title, route, encoding),
            _campaign(request.query),
            _device(request),
            request.address,
            _CONSENTS[recognition.decision.state, recognition.refusal is None],
        )

    def _decision(
        self,
        action: str | None,
        cookies: str | None,
        header: Callable[[str], str | None],
    ) -> Decision:
        settings = self.settings
        signal = (settings.honor_gpc and _objects(header("sec-gpc"))) or (
            settings.honor_dnt and header("dnt") == "1"
        )
        return decision(
            settings.consent_mode,
            action=action or cookie_value(cookies, settings.cookie_action),
            status=self._statuses.get(
                cookie_value(cookies, settings.cookie_status) or ""
            ),
            signal=signal,
        )

    def _refusal(
        self,
        decided: Decision,
        cookies: str | None,
        header: Callable[[str], str | None],
    ) -> Reason | None:
        settings = self.settings
        if self._own.verified(cookie_value(cookies, settings.own_cookie_name)):
            return Reason.OWN
        if not decided.track:
            return _REFUSALS[decided.state]
        if settings.ignore_bots and is_bot(header("user-agent")):
            return Reason.BOT
        return None

    def _page(
        self,
        request: Request,
        title: str | None,
        route: str | None,
        encoding: str | None,
    ) -> Page:
        host = request.host
        url = scrubbed_url(
            request.scheme, host or "", request.path, request.query, keep=self._keep
        )
        # Without a host there is no URL; the path stands after the scheme's "//".
        path = url[len(request.scheme) + 3 + len(host or "") :].partition("?")[0]
        return Page(
            url if host else None,
            host,
            path,
            scrubbed_text(title, _TITLE_LIMIT) if title else None,
            scrubbed_referrer(request.headers.get("referer"), host, keep=self._keep),
            route,
            encoding,
        )

    def _cookie(
        self,
        request: Request,
        name: str,
        value: str,
        max_age: int | None,
        httponly: bool | None = None,
    ) -> str:
        settings = self.settings
        secure = settings.cookie_secure
        return cookie_header(
            name,
            value,
            max_age=max_age,
            path=settings.cookie_path,
            secure=request.scheme == "https" if secure is None else secure,
            httponly=settings.cookie_httponly if httponly is None else httponly,
            samesite=settings.cookie_samesite,
        )


@lru_cache(maxsize=16)
def extractor_from(settings: Settings) -> Extractor:
    """Make the extractor of *settings*, or return the one made before."""
    return Extractor(settings)


def request_from(
    source: MutableMapping[str, Any], *, settings: Settings | None = None
) -> Request:
    """View a WSGI environ or an ASGI HTTP scope as a request.

    Its address is made anonymous by *settings* (the defaults without them).
    """
    rule = extractor_from(settings or Settings()).address_rule
    if "REQUEST_METHOD" in source:
        return request_from_environ(source, rule)
    return request_from_scope(source, rule)


def get_default_parameters(
    request: Request,
    response: Response | None = None,
    *,
    title: str | None = None,
    settings: Settings | None = None,
) -> Context:
    """Extract all that *request* tells about a hit.

    Given the *response* too, its title is found (unless *title* is what a framework
    knows of it), and the cookies that identity and session need are appended to its
    headers, where it may carry cookies. Without
    *settings* the defaults count. If nothing may be sent for the request, the
    context says so in its consent, and no system tells anything made with it.
    """
    extractor = extractor_from(settings or Settings())
    now = time.time()
    recognition = extractor.recognize(request, now)
    encoding = None
    if response is not None:
        title = title or get_title(response)
        encoding = content_charset(response.header("content-type") or "")
        if may_carry_cookie(response.status, response.header("cache-control")):
            response.headers += [
                ("Set-Cookie", value)
                for value in extractor.cookies(request, recognition, now)
            ]
    return extractor.context(request, recognition, title=title, encoding=encoding)


def get_title(response: Response) -> str | None:
    """Find the title of *response* in its HTML; None if it has none."""
    return title_from(response, _TITLE_EXTRACTORS)


def may_carry_cookie(status: int, cache_control: str | None) -> bool:
    """Tell whether a cookie may be set on an answer.

    Not on 304, whose headers update a stored page, on errors of the server, or
    where a shared cache may keep the answer and hand one visitor's id to all
    (RFC 9111 section 7.3).
    """
    if status == 304 or status >= 500:
        return False
    if not cache_control:
        return True
    directives = {part.strip().lower() for part in cache_control.split(",")}
    if directives & {"private", "no-store"}:
        return True
    return not any(
        directive == "public"
        or directive.startswith("s-maxage")
        or (directive.startswith("max-age=") and directive != "max-age=0")
        for directive in directives
    )


_TITLE_EXTRACTORS = (HtmlTitleExtractor(),)
_REFUSALS = {
    ConsentState.UNKNOWN: Reason.UNDECIDED,
    ConsentState.SIGNALLED: Reason.SIGNALLED,
    ConsentState.DENIED: Reason.DENIED,
}
_CONSENTS = {
    (state, allowed): Consent(
        analytics=False
        if not allowed
        else (True if state is ConsentState.GRANTED else None)
    )
    for state in ConsentState
    for allowed in (True, False)
}
_NO_CAMPAIGN = Campaign()


def _nobody(now: float) -> tuple[Visitor, Session]:
    return Visitor(new_client_id(now), is_new=True), Session(id=int(now), is_new=True)


def _objects(sec_gpc: str | None) -> bool:
    """Read Sec-GPC: several lines with at least one 1 count as one (w3c/gpc)."""
    return sec_gpc is not None and "1" in (v.strip() for v in sec_gpc.split(","))


def _campaign(query: str) -> Campaign:
    found = campaign_from(query)
    if found == _NO_CAMPAIGN:
        return found
    clean = {
        name: scrubbed_text(value, _CAMPAIGN_LIMIT)
        for name in ("source", "medium", "name", "term", "content", "id")
        if (value := getattr(found, name))
    }
    return msgspec.structs.replace(found, **clean)


def _device(request: Request) -> Device:
    header = request.headers.get
    agent = header("user-agent")
    if agent is not None and (
        not agent.isprintable() or len(agent) > _USER_AGENT_LIMIT
    ):
        agent = _printable(agent[:_USER_AGENT_LIMIT])
    return _device_of(agent or None, language_from(header("accept-language")))


# Few kinds of devices make most requests.
@lru_cache(maxsize=1024)
def _device_of(agent: str | None, language: str | None) -> Device:
    return Device(agent, language)


def _printable(characters: Iterable[str]) -> str:
    return "".join(c for c in characters if c.isprintable())


def _address_rule(settings: Settings) -> AddressRule:
    trust = settings.proxy_trust
    trusting = bool(settings.trusted_proxies or settings.trusted_hops)
    header = settings.forwarded_header.lower()
    if settings.anonymize_ip and not trusting:
        return lambda peer, _lines: anonymized(peer)

    def rule(peer: str | None, lines: Callable[[str], Sequence[str]]) -> str | None:
        forwarded = lines(header) if trusting else ()
        address = visitor_address(peer, forwarded, trust)
        return anonymized(address) if settings.anonymize_ip else address

    return rule
