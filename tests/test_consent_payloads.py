"""What each mode, state and action lets out: which systems, and what they are told."""

import json
from urllib.parse import parse_qs

import pytest

from server_tracking import Tracker, current
from server_tracking.consent import CONSENT_MODES
from server_tracking.salts import MemorySalt
from server_tracking.systems import (
    GoatCounter,
    GoogleAnalytics4,
    Matomo,
    Plausible,
    PostHog,
    Umami,
    UniversalAnalytics,
)
from server_tracking.testing import RecordingSender
from server_tracking.wsgi import TrackingMiddleware

REUSING = (GoogleAnalytics4, UniversalAnalytics)
KINDS = (*REUSING, Matomo, Plausible, Umami, PostHog, GoatCounter)
NOBODY, THEIRS = frozenset(), frozenset(kind.__name__ for kind in KINDS)
OWN = THEIRS - {kind.__name__ for kind in REUSING}

# The table of docs/consent.md: who is told while this state holds.
TOLD = {
    **{("unknown", mode): THEIRS for mode in ("session", "opt-out", "off")},
    ("unknown", "opt-in"): NOBODY,
    ("unknown", "cookieless"): OWN,
    **{("signalled", mode): NOBODY for mode in CONSENT_MODES},
    ("signalled", "off"): THEIRS,
    **{("granted", mode): THEIRS for mode in CONSENT_MODES},
    **{("denied", mode): NOBODY for mode in CONSENT_MODES},
}
STATES = {
    "unknown": {},
    "signalled": {"HTTP_SEC_GPC": "1"},
    "granted": {"HTTP_COOKIE": "cookie_status=1"},
    "denied": {"HTTP_COOKIE": "cookie_status=0"},
}
ACTIONS = {None: None, "accept": "granted", "refuse": "denied", "withdraw": "denied"}


def visited(mode, state, action, browser):
    """Open a page; returns the systems told with their calls, and the cookies set."""
    systems = [kind.example() for kind in KINDS]
    sender = RecordingSender()
    tracker = Tracker(
        *systems,
        sender=sender,
        secret_key="a secret key",
        strict=True,
        consent_mode=mode,
        cookieless_salt=MemorySalt(),
    )

    def site(environ, start_response):
        current().identify("u-7")
        start_response("200 OK", [("Content-Type", "text/html")])
        return [b"<title>A page</title>"]

    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/fern",
        "QUERY_STRING": "utm_source=mail&gclid=abc123",
        "HTTP_HOST": "example.com",
        "REMOTE_ADDR": "203.0.113.77",
        "wsgi.url_scheme": "https",
        **{f"HTTP_{n.upper().replace('-', '_')}": v for n, v in browser.items()},
        **STATES[state],
    }
    if action:
        cookies = filter(None, (environ.get("HTTP_COOKIE"), f"cookie_action={action}"))
        environ["HTTP_COOKIE"] = "; ".join(cookies)
    heads = []
    body = TrackingMiddleware(site, tracker)(environ, lambda *head: heads.append(head))
    b"".join(body)
    calls = {}
    for system in systems:
        for hit in sender.hits:
            calls.setdefault(type(system).__name__, [])
            if hit.context.consent.reuse or type(system) not in REUSING:
                calls[type(system).__name__] += system.encode([hit], hit.time)
    sender.flush()
    told = {name: made for name, made in calls.items() if made}
    # What a sender makes of it is just that.
    assert {c.url for c in sender.calls} == {c.url for m in told.values() for c in m}
    return told, [v for name, v in heads[0][1] if name == "Set-Cookie"]


@pytest.mark.parametrize("mode", CONSENT_MODES)
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("action", ACTIONS)
def test_each_system_is_told_what_the_visitor_allows(mode, state, action, browser):
    after = ACTIONS[action] or state
    told, cookies = visited(mode, state, action, browser)

    assert told.keys() == TOLD[after, mode]
    stored = [c.partition("=")[2] for c in cookies if c.startswith("vn=1.")]
    assert len(stored) == (0 if told.keys() in (NOBODY, OWN) else 1)
    everything = json.dumps(
        [[c.url, c.body.decode()] for made in told.values() for c in made]
    )
    assert "203.0.113.77" not in everything
    if told.keys() == OWN:
        assert "u-7" not in everything
        assert "abc123" not in everything
    elif told:
        visitor = ".".join(stored[0].split(".")[1:3])
        google_is_told(told["GoogleAnalytics4"], visitor)
        universal_is_told(told["UniversalAnalytics"], visitor)


def google_is_told(calls, visitor):
    """Advertising is denied, for nobody has granted it; analytics is not a field."""
    [call] = calls
    body = json.loads(call.body)

    assert body["client_id"] == visitor
    assert body["user_id"] == "u-7"
    assert body["consent"] == {
        "ad_user_data": "DENIED",
        "ad_personalization": "DENIED",
    }


def universal_is_told(calls, visitor):
    [call] = calls
    told = parse_qs(call.body.decode() or call.url.partition("?")[2])

    assert told["cid"] == [visitor]
    assert told["npa"] == ["1"]
    assert told["aip"] == ["1"]
