"""From a request to a context: all that can be told about a hit before it happens."""

from __future__ import annotations

import secrets
import time
from collections.abc import MutableMapping
from functools import lru_cache
from typing import Any

import msgspec

from server_tracking.addresses import address_rule_from
from server_tracking.agents import Agent, agent_of
from server_tracking.campaigns import campaign_mark
from server_tracking.consent import (
    ConsentState,
    Decision,
    accepted_value,
    consent_from,
    decision,
    without_reuse,
)
from server_tracking.cookieless import DailyIds
from server_tracking.cookies import (
    CookieSigner,
    carries_cookie,
    cookie_header,
    cookie_value,
)
from server_tracking.exchange import (
    Request,
    Response,
    request_from_environ,
    request_from_scope,
)
from server_tracking.filters import is_host_of, is_in_sample, refusal_of_request
from server_tracking.hits import (
    Consent,
    Context,
    Page,
    Visitor,
)
from server_tracking.reasons import Reason
from server_tracking.recognition import UNRECOGNIZED, Recognition, nobody
from server_tracking.referrers import is_spam
from server_tracking.salts import DerivedSalt
from server_tracking.scrubbing import (
    DEFAULT_KEEP,
    narrowed,
    scrubbed_campaign,
    scrubbed_page,
    scrubbed_referrer,
    scrubbed_text,
    scrubbed_url,
    scrubbed_user_id,
)
from server_tracking.settings import Settings
from server_tracking.titles import HtmlTitleExtractor, title_from
from server_tracking.traits import campaign_of, device_of
from server_tracking.visitors import (
    Identity,
    identity_from,
    session_at,
)

__all__ = [
    "UNRECOGNIZED",
    "Extractor",
    "Recognition",
    "extractor_from",
    "get_title",
    "request_from",
]

_DAY = 24 * 3600
_TITLE_LIMIT = 512


class Extractor:
    """Make contexts by one site's settings. It keeps nothing of a request."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        keys = settings.secret_keys or (secrets.token_urlsafe(32),)
        self._ids = CookieSigner(keys, "visitor", settings.cookie_salt)
        self._identity_of = self._ids.reader(identity_from)
        self._max_age = settings.cookie_max_age
        name = settings.cookie_name
        self._id_names = (
            (name, f"__Host-{name}") if settings.cookie_host_prefix else (name,)
        )
        self._own = CookieSigner(keys, "own", settings.cookie_salt)
        self._accepted = accepted_value(
            settings.cookie_status_accepted, settings.consent_version
        )
        self._statuses = {
            self._accepted: ConsentState.GRANTED,
            settings.cookie_status_refused: ConsentState.DENIED,
        }
        self._resolver = settings.resolver
        unspoken = decision(settings.consent_mode)
        if settings.reuse_needs_consent:
            unspoken = without_reuse(unspoken)
        # Of most visitors nothing is said, and no table needs to be asked.
        self._unspoken = unspoken if settings.resolver is None else None
        self._days = (
            DailyIds(settings.salt_store or DerivedSalt(keys[0]), settings.cookie_salt)
            if settings.consent_mode == "cookieless"
            else None
        )
        self._keep: frozenset[str] | str = (
            "all"
            if settings.keep_params == "all"
            else DEFAULT_KEEP | frozenset(settings.keep_params)
        )
        self.address_rule = address_rule_from(
            settings.proxy_trust, settings.anonymize_ip
        )
        self._exclusion = settings.exclusion
        self._rules = settings.page_view_rules
        self._is_bot = settings.bot_test if settings.ignore_bots else None
        self._excludes = settings.further_exclusion

    def page_refusal(self, request: Request, *, robots: bool = False) -> Reason | None:
        """Say why *request* is no page view, or None if its answer decides.

        With *robots*, being made by one is a reason too: `recognize` says the same,
        but costs more.
        """
        reason = refusal_of_request(
            request.method,
            request.path_info,
            request.headers.get,
            self._exclusion,
            self._rules,
        )
        if reason is not None:
            return reason
        if self._excludes is not None and self._excludes(request):
            return Reason.EXCLUDED
        if robots and self._is_bot is not None:
            user_agent = request.headers.get("user-agent")
            if self._is_bot(user_agent):
                return self._bot_refusal(agent_of(user_agent))
        return None

    def recognize(
        self, request: Request, now: float, *, action: str | None = None
    ) -> Recognition:
        """Read consent, own mark and identity of *request* at *now* (Unix seconds).

        *action* is what the visitor has just decided, if not by the action cookie.
        """
        settings = self.settings
        header = request.headers.get
        cookies = header("cookie")
        decided = self._decision(request, action, cookies)
        refusal = self._refusal(request, decided, cookies, now)
        if refusal is not None:
            if refusal is not Reason.BOT:
                return Recognition(decided, refusal)
            return self._recognized_bot(decided, header("user-agent"))
        if not decided.stored:
            return self._recognized_by_day(request, decided, now)
        known = self._known(cookies, request, now)
        if known is not None and known.granted and not decided.keep:
            known = None  # the grant has run out, and the id was kept by it
        rules = settings.session_rules
        campaign = campaign_mark(request.query) if rules.campaign else 0
        identity, session, renew = session_at(known, now, rules, campaign)
        if decided.keep != bool(identity.granted):
            granted = int(now) if decided.keep else 0
            identity = msgspec.structs.replace(identity, granted=granted)
            renew = True
        return Recognition(decided, self._sampled(identity), identity, session, renew)

    def known(self, request: Request, now: float) -> Identity | None:
        """Read the id cookie of *request*; None without one that is ours and good."""
        return self._known(request.headers.get("cookie"), request, now)

    def _known(
        self, cookies: str | None, request: Request, now: float
    ) -> Identity | None:
        identity = self._identity_of(cookie_value(cookies, self._id_name(request)))
        if identity is None or not identity.is_current(now, self._max_age):
            return None
        return identity

    def _recognized_by_day(
        self, request: Request, decided: Decision, now: float
    ) -> Recognition:
        """Know the visitor for a day, by nothing that is stored on their side."""
        if self._days is None:
            return Recognition(decided, Reason.UNDECIDED)
        agent = request.headers.get("user-agent") or ""
        identity, session = self._days.visit(
            agent, request.address, now, self.settings.session_rules
        )
        return Recognition(decided, self._sampled(identity), identity, session)

    def _sampled(self, identity: Identity) -> Reason | None:
        rate = self.settings.sample_rate
        # The id is kept all the same, or the visitor would be drawn anew each time.
        if rate < 1 and not is_in_sample(identity.client_id, rate):
            return Reason.SAMPLED
        return None

    def _recognized_bot(self, decided: Decision, user_agent: str | None) -> Recognition:
        agent = agent_of(user_agent)
        refusal = self._bot_refusal(agent)
        return Recognition(decided, refusal, agent=None if refusal else agent)

    def _bot_refusal(self, agent: Agent | None) -> Reason | None:
        if agent is None:
            return Reason.BOT
        drops = self.settings.agent_policies[agent.kind] == "drop"
        return Reason.AGENT if drops else None

    def cookies(
        self, request: Request, recognition: Recognition, now: float
    ) -> list[str]:
        """Write the Set-Cookie values that follow from *recognition*."""
        settings = self.settings
        decided, identity = recognition.decision, recognition.identity
        written: list[str] = []
        if recognition.refusal in _UNTOUCHED:
            return written
        # The site's script reads both of these.
        if decided.changed:
            accepted = decided.state is ConsentState.GRANTED
            status = self._accepted if accepted else settings.cookie_status_refused
            age = settings.consent_max_age
            written.append(
                self._cookie(request, settings.cookie_status, status, age, False)
            )
        if decided.spent:
            written.append(self._cookie(request, settings.cookie_action, "", 0, False))
        if identity is not None and recognition.renew:
            max_age = None
            if identity.granted:
                max_age = settings.cookie_max_age - (int(now) - identity.granted)
            value = self._ids.sign(identity.cookie)
            name = self._id_name(request)
            written.append(self._cookie(request, name, value, max_age))
        elif not decided.stored:
            header = request.headers.get("cookie")
            written += [
                self._cookie(request, name, "", 0)
                for name in self._id_names
                if carries_cookie(header, name)
            ]
        return written

    def own_cookie(self, request: Request, now: float, *, marked: bool = True) -> str:
        """Write the Set-Cookie value that marks the sender as the site's own, or not."""
        name, max_age = self.settings.own_cookie_name, self.settings.own_cookie_max_age
        if not marked:
            return self._cookie(request, name, "", 0)
        value = self._own.sign(str(int(now)))
        return self._cookie(request, name, value, max_age)

    def _is_own(self, cookies: str | None, now: float) -> bool:
        settings = self.settings
        value = self._own.verified(cookie_value(cookies, settings.own_cookie_name))
        # A browser can keep a cookie for longer; the day of the mark is signed.
        return (
            value is not None and -_DAY < now - int(value) < settings.own_cookie_max_age
        )

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
        reuse, scrub = recognition.decision.reuse, self.settings.own_scrubber
        if identity is None or session is None:
            visitor, session = nobody(time.time(), recognition.agent)
        else:
            is_new = session.is_new and session.number == 1
            told = scrubbed_user_id(user_id, scrub) if reuse else None
            ids = recognition.browser_ids
            visitor = Visitor(identity.client_id, told, is_new, ids)
        campaign = campaign_of(request.query, reuse)
        return Context(
            visitor,
            session,
            self._page(request, title, route, encoding),
            campaign if scrub is None else scrubbed_campaign(campaign, scrub),
            device_of(request.headers.get),
            request.address,
            recognition.decision.consent if recognition.refusal is None else _REFUSED,
        )

    def _decision(
        self, request: Request, action: str | None, cookies: str | None
    ) -> Decision:
        settings, header = self.settings, request.headers.get
        if (
            self._unspoken is not None
            and action is None
            and settings.cookie_action not in (cookies or "")
            and settings.cookie_status not in (cookies or "")
            and header("sec-gpc") is None
            and header("dnt") is None
        ):
            return self._unspoken
        signal = (settings.honor_gpc and _objects(header("sec-gpc"))) or (
            settings.honor_dnt and header("dnt") == "1"
        )
        resolver = self._resolver
        decided = decision(
            settings.consent_mode,
            resolved=consent_from(resolver(request)) if resolver is not None else None,
            action=action or cookie_value(cookies, settings.cookie_action),
            status=self._statuses.get(
                cookie_value(cookies, settings.cookie_status) or ""
            ),
            signal=signal,
        )
        if settings.reuse_needs_consent and decided.state is not ConsentState.GRANTED:
            return without_reuse(decided)
        return decided

    def _id_name(self, request: Request) -> str:
        prefixed = len(self._id_names) > 1 and self._is_secure(request)
        return self._id_names[-1 if prefixed else 0]

    def _is_secure(self, request: Request) -> bool:
        secure = self.settings.cookie_secure
        return request.scheme == "https" if secure is None else secure

    def _refusal(
        self, request: Request, decided: Decision, cookies: str | None, now: float
    ) -> Reason | None:
        settings, header = self.settings, request.headers.get
        hosts = settings.site_hosts
        if hosts and not is_host_of(hosts, request.host):
            return Reason.FOREIGN
        own = cookies is not None and settings.own_cookie_name in cookies
        if own and self._is_own(cookies, now):
            return Reason.OWN
        if not decided.track:
            return _REFUSALS[decided.state]
        if self._is_bot is not None and self._is_bot(header("user-agent")):
            return Reason.BOT
        if settings.drop_referrer_spam and is_spam(header("referer")):
            return Reason.SPAM
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
        page = Page(
            url if host else None,
            host,
            path,
            scrubbed_text(title, _TITLE_LIMIT) if title else None,
            scrubbed_referrer(request.headers.get("referer"), host, keep=self._keep),
            route,
            encoding,
        )
        if self.settings.own_scrubber is not None:
            page = scrubbed_page(page, self.settings.own_scrubber)
        narrowing = self.settings.narrowing
        return page if narrowing is None else narrowed(page, narrowing)

    def _cookie(
        self,
        request: Request,
        name: str,
        value: str,
        max_age: int | None,
        httponly: bool | None = None,
    ) -> str:
        settings = self.settings
        return cookie_header(
            name,
            value,
            max_age=max_age,
            path=settings.cookie_path,
            secure=self._is_secure(request),
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


def get_title(response: Response) -> str | None:
    """Find the title of *response* in its HTML; None if it has none."""
    return title_from(response, _TITLE_EXTRACTORS)


_TITLE_EXTRACTORS = (HtmlTitleExtractor(),)
_REFUSALS = {
    ConsentState.UNKNOWN: Reason.UNDECIDED,
    ConsentState.SIGNALLED: Reason.SIGNALLED,
    ConsentState.DENIED: Reason.DENIED,
}
_REFUSED = Consent(analytics=False)
# Nothing is set for the site's own people, where nothing could be read, nor by what is
# another site's name.
_UNTOUCHED = frozenset({Reason.OWN, Reason.UNRESOLVED, Reason.FOREIGN})


def _objects(sec_gpc: str | None) -> bool:
    """Read Sec-GPC: several lines with at least one 1 count as one (w3c/gpc)."""
    return sec_gpc is not None and "1" in (v.strip() for v in sec_gpc.split(","))
