"""Feed whatever bytes a coverage-guided fuzzer thinks of to all that reads visitors' text.

    pip install atheris
    python tools/fuzz.py urls -max_total_time=300

Arguments behind the name of a target are those of libFuzzer. Each target raises if
something is read that must not be, or leaves that must not. `tests/test_fuzz.py` runs
them all for a moment, without atheris.
"""

# ruff: noqa: S101 - an assertion that fails is what a fuzzer looks for.
from __future__ import annotations

import gc
import ipaddress
import sys
from collections.abc import Callable
from types import FunctionType
from urllib.parse import unquote

from server_tracking import Tracker
from server_tracking.addresses import anonymized, proxy_trust_from, visitor_address
from server_tracking.agents import agent_of
from server_tracking.bots import is_bot
from server_tracking.campaigns import campaign_from
from server_tracking.cookies import (
    CookieSigner,
    carries_cookie,
    cookie_value,
    may_carry_cookie,
)
from server_tracking.exchange import Request, Response, public_host
from server_tracking.filters import is_probe
from server_tracking.languages import language_from
from server_tracking.messages import is_same_origin
from server_tracking.platforms import (
    cookiebot,
    django_cookie_consent,
    google_consent,
    klaro,
    onetrust,
    tcf_consent_from,
)
from server_tracking.referrers import is_spam
from server_tracking.replaying.lines import served_from
from server_tracking.replaying.retelling import Retelling
from server_tracking.scrubbing import scrubbed_referrer, scrubbed_text, scrubbed_url
from server_tracking.settings import Settings
from server_tracking.systems import discovered_systems
from server_tracking.testing import NOW, RecordingSender
from server_tracking.titles import HtmlTitleExtractor, TitleReader
from server_tracking.traits import device_of
from server_tracking.visitors import identity_from
from server_tracking.wsgi import TrackingMiddleware

KEY = "a secret key that no fuzzer guesses"
KEEP = frozenset({"q", "ref"})


def cookies(data: bytes) -> None:
    """Read a Cookie header: nothing that we did not sign is believed."""
    header = data.decode("latin-1")
    for name in ("vn", "__Host-vn", "cookie_status"):
        value = cookie_value(header, name)
        assert value is None or carries_cookie(header, name)
        assert SIGNER.verified(value) is None
        identity_from(value or "")
    assert SIGNER.verified(header) is None


def headers(data: bytes) -> None:
    """Read headers: what is told on is printable, of a bounded length."""
    text = data.decode("utf-8", "surrogateescape")
    device = device_of({"user-agent": text, "accept-language": text}.get)
    for told in (device.user_agent, device.language):
        assert told is None or (told.isprintable() and len(told) <= 512)
    host = public_host(text, "https")
    assert host is None or (host.isprintable() and " " not in host)
    assert language_from(text) == device.language
    may_carry_cookie(200, text)
    is_spam(text)
    is_probe(text)
    is_bot(text)
    agent_of(text)
    for name in ("sec-fetch-site", "origin"):
        is_same_origin(Request("POST", "/", host="example.com", headers={name: text}))


def addresses(data: bytes) -> None:
    """Find addresses: each told is one, and cut."""
    text = data.decode("latin-1")
    told = anonymized(text)
    if told is not None:
        address = ipaddress.ip_address(told)
        assert str(address) == told
        assert int(address) % (1 << (8 if address.version == 4 else 80)) == 0
        assert anonymized(told) == told
    for trust in TRUSTS:
        found = visitor_address("10.0.0.2", [text], trust)
        assert found is None or str(ipaddress.ip_address(found)) == found
        # Whatever comes before, what our own proxy has appended counts.
        real = "for=198.51.100.7" if trust.header == "forwarded" else "198.51.100.7"
        assert visitor_address("10.0.0.2", [text, real], trust) in (
            "198.51.100.7",
            "10.0.0.2",  # too long to be read
            None,  # malformed
        )


def urls(data: bytes) -> None:
    """Build URLs anew: bounded, plain, and the same a second time."""
    text = data.decode("utf-8", "surrogateescape")
    path, _, query = text.partition("?")
    for keep in (KEEP, "all"):
        url = scrubbed_url("https", "example.com", f"/{path}", query, keep=keep)
        assert url.isascii()
        assert url.isprintable()
        assert len(url) <= 2048
        _, _, rest = url.partition("example.com")
        again_path, _, again_query = rest.partition("?")
        again = scrubbed_url(
            "https", "example.com", unquote(again_path), again_query, keep=keep
        )
        assert again == url
        referrer = scrubbed_referrer(text, "example.com", keep=keep)
        if referrer is not None:
            assert referrer.isascii()
            assert referrer.isprintable()
            assert scrubbed_referrer(referrer, "example.com", keep=keep) == referrer
    campaign_from(query)


def texts(data: bytes) -> None:
    """Scrub texts: bounded, printable, and the same a second time."""
    text = data.decode("utf-8", "surrogateescape")
    for limit in (16, 500):
        clean = scrubbed_text(text, limit)
        assert len(clean) <= limit
        assert not any(ord(c) < 32 or 0xD800 <= ord(c) < 0xE000 for c in clean)
        assert scrubbed_text(clean, limit) == clean


def titles(data: bytes) -> None:
    """Read titles: the same wherever the body is cut."""
    if len(data) < 3:
        return
    coding = (None, "gzip", "deflate", "br", "zstd")[data[0] % 5]
    charset = (None, "utf-8", "utf-16", "iso-2022-jp", "shift_jis")[data[1] % 5]
    body, step = data[3:], data[2] % 64 + 1
    whole = TitleReader(coding, charset)
    whole.feed(body)
    pieces = TitleReader(coding, charset)
    for start in range(0, len(body), step):
        pieces.feed(body[start : start + step])
    if charset != "iso-2022-jp":  # CPython's decoder fails sooner in larger pieces
        assert whole.title == pieces.title
    assert whole.title is None or len(whole.title) <= 512
    HtmlTitleExtractor().get_title(Response(200, [("Content-Type", "text/html")], body))


def consents(data: bytes) -> None:
    """Read what consent platforms keep in cookies."""
    text = data.decode("latin-1")
    said = tcf_consent_from(text)
    assert said is None or (
        said.version == 2 and all(0 < p < 25 for p in said.purposes)
    )
    for name, resolve in RESOLVERS.items():
        resolve(Request(headers={"cookie": f"{name}={text}; closed=1"}))


def requests(data: bytes) -> None:
    """Serve whole requests: the page stays as it is, no system gets a line break."""
    parts = iter(data.decode("latin-1").split("\n\n"))
    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/" + next(parts),
        "REMOTE_ADDR": next(parts, "203.0.113.7"),
        "QUERY_STRING": next(parts, ""),
        "HTTP_HOST": next(parts, "example.com"),
        "HTTP_USER_AGENT": next(parts, "Mozilla/5.0 (X11) Gecko/1 Firefox/140.0"),
        "HTTP_REFERER": next(parts, ""),
        "HTTP_COOKIE": next(parts, ""),
        "HTTP_ACCEPT_LANGUAGE": next(parts, "de"),
        "HTTP_ACCEPT": next(parts, "text/html"),
        "HTTP_X_FORWARDED_FOR": next(parts, ""),
        "wsgi.url_scheme": "https",
    }
    kind = next(parts, "text/html")
    page = data[:512]

    def site(_environ: object, start_response: Callable[..., object]) -> list[bytes]:
        start_response("200 OK", [("Content-Type", kind)])
        return [page]

    sender = RecordingSender()
    tracker = Tracker(sender=sender, secret_key=KEY, strict=True, ignore_bots=False)
    heads: list[list[tuple[str, str]]] = []
    body = TrackingMiddleware(site, tracker)(
        environ, lambda _status, headers, *_: heads.append(headers)
    )
    assert b"".join(body) == page
    if hasattr(body, "close"):
        body.close()
    assert all(value.isprintable() for name, value in heads[0] if name == "Set-Cookie")
    for system in SYSTEMS:
        for call in system.encode(sender.hits, NOW):
            assert call.url.isprintable()
            assert all(value.isprintable() for value in call.headers.values())


def logs(data: bytes) -> None:
    """Read lines of access logs, and tell them again."""
    for line in data.decode("utf-8", "surrogateescape").splitlines():
        served = served_from(line)
        if served is not None:
            Retelling(SETTINGS, "example.com", "https").hit(served, 1)


TARGETS = {
    target.__name__: target
    for target in (
        cookies,
        headers,
        addresses,
        urls,
        texts,
        titles,
        consents,
        requests,
        logs,
    )
}
"""What may be fuzzed, by name."""

SEEDS = {
    "cookies": [b"vn=1.2.3; cookie_status=1", b'a="x; vn=1"; __Host-vn=2'],
    "headers": [b"Mozilla/5.0 (X11) Gecko/1", b"de-CH;q=0.8,*;q=0.1", b"a.b:443"],
    "addresses": [b"203.0.113.7, [2001:db8::1]:80", b'for="[::ffff:1.2.3.4]:_p";by=x'],
    "urls": [b"/a%2540b;jsessionid=1?q=max%40example.com&ref=1", b"https://x.y/?q=1"],
    "texts": [b"max@example.com +49 170 7654321 4111 1111 1111 1111", b"::1 eyJa.b.c"],
    "titles": [
        b"\0\0\7<title>a &amp; b</title>",
        b"\0\0\1<svg><title>x</title></svg><!--<title>--><title>y</title>",
    ],
    "consents": [
        b"COvFyGBOvFyGBAbAAAENAPCAAOAAAAAAAAAAAEEUACCKAAA",
        b"analytics=2026-01-01T00:00:00|ads=-1",
        b'{"analytics_storage": "granted", "matomo": true}',
        b"groups=C0002:1",
    ],
    "requests": [
        b"\n\n".join(
            (
                b"a",
                b"203.0.113.7",
                b"utm_source=b",
                b"example.com",
                b"Mozilla/5.0 Gecko",
                b"https://example.org/",
                b"vn=1; cookie_action=accept",
                b"de",
                b"text/html",
            )
        )
    ],
    "logs": [
        b'203.0.113.7 - - [25/Nov/2026:10:00:00 +0100] "GET / HTTP/1.1" 200 5 "-" "M"',
        b'{"ts": 1700000000, "status": 200, "request": {"uri": "/", "method": "GET"}}',
        b'{"hit": {"kind": "pageview", "url": "https://a.b/", "time": 1700000000}}',
    ],
}
"""Where a fuzzer begins."""

SIGNER = CookieSigner((KEY,), "visitor")
TRUSTS = tuple(
    proxy_trust_from(proxies, hops, header, False)
    for header in ("X-Forwarded-For", "Forwarded")
    for proxies, hops in ((("private",), 0), ((), 1))
)
RESOLVERS = {
    "OptanonConsent": onetrust(decided="closed"),
    "CookieConsent": cookiebot(),
    "klaro": klaro("matomo"),
    "cookie_consent": django_cookie_consent(version="2026-01-01T00:00:00"),
    "consentMode": google_consent(),
}
SETTINGS = Settings(secret_key=KEY, ignore_bots=False)
SYSTEMS = [kind.example() for kind in discovered_systems().values()]


def main(arguments: list[str]) -> None:
    """Fuzz one target until its time is over, or something is found."""
    if not arguments or arguments[0] not in TARGETS:
        sys.exit(
            f"usage: python tools/fuzz.py {{{','.join(TARGETS)}}} [libFuzzer options]"
        )
    import tempfile
    from pathlib import Path

    import atheris

    name, *options = arguments
    # Only our own code is followed: with the standard library that takes minutes.
    for found in gc.get_objects():
        if type(found) is FunctionType and (found.__module__ or "").startswith(
            "server_"
        ):
            atheris.instrument_func(found)
    seeds = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
    for number, seed in enumerate(SEEDS[name]):
        (seeds / str(number)).write_bytes(seed)
    atheris.Setup([sys.argv[0], str(seeds), *options], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
