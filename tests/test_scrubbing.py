"""Personal data: none leaves, and nothing else is lost."""

import json
import time
from itertools import product
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from server_tracking import Event, Item, Purchase
from server_tracking.scrubbing import (
    DEFAULT_KEEP,
    scrubbed_hit,
    scrubbed_referrer,
    scrubbed_text,
    scrubbed_url,
    scrubbed_user_id,
)
from server_tracking.testing import sample_context, sample_hits

# In and out, written by hand.
CORPUS = json.loads(
    (Path(__file__).parent / "data" / "scrubbing.json").read_text("utf-8")
)
ORIGIN = "https://example.com"


def url(path="/", query="", keep=DEFAULT_KEEP):
    return scrubbed_url("https", "example.com", path, query, keep=keep)


def referrer(text, host="example.com"):
    return scrubbed_referrer(text, host, keep=DEFAULT_KEEP)


@pytest.mark.parametrize(("path", "expected"), CORPUS["paths"])
def test_a_path_is_written_anew(path, expected):
    assert url(path) == ORIGIN + expected


@pytest.mark.parametrize(("query", "expected"), CORPUS["queries"])
def test_only_parameters_on_the_list_stay(query, expected):
    assert url("/", query) == f"{ORIGIN}/{'?' * bool(expected)}{expected}"


@pytest.mark.parametrize(("given", "expected"), CORPUS["referrers"])
def test_a_referrer_is_written_anew(given, expected):
    assert referrer(given) == expected


@pytest.mark.parametrize(("text", "expected"), CORPUS["texts"])
def test_a_text_keeps_all_but_personal_data(text, expected):
    assert scrubbed_text(text, 500) == expected


def test_the_corpus_is_large():
    assert sum(map(len, CORPUS.values())) >= 150


def test_a_referrer_without_a_host_of_ours_has_no_query():
    assert referrer("https://example.com/?ref=a", None) == "https://example.com/"


def test_the_origin_is_not_touched():
    made = scrubbed_url("http", "192.0.2.1:8000", "/a", "", keep=DEFAULT_KEEP)

    assert made == "http://192.0.2.1:8000/a"


def test_without_a_host_the_path_stands_after_the_slashes():
    made = scrubbed_url("https", "", "/a b", "ref=x", keep=DEFAULT_KEEP)

    assert made == "https:///a%20b?ref=x"


def test_more_parameters_can_be_kept():
    assert url("/", "q=red&x=1", DEFAULT_KEEP | {"q"}) == f"{ORIGIN}/?q=red"
    assert url("/", "Page=2", DEFAULT_KEEP | {"Page"}) == f"{ORIGIN}/?Page=2"
    assert url("/", "q=a%40b.de", DEFAULT_KEEP | {"q"}) == f"{ORIGIN}/?q=[email]"


ALL = [
    ("q=red+shoes&page=2", "q=red%20shoes&page=2"),
    ("name", "name"),
    ("q=max@example.com", "q=[email]"),
    ("max@example.com=1", "[email]=[redacted]"),
    ("max@example.com&email", "[email]&email"),
    ("email=x&E-Mail=x&e_mail=x", "email=[redacted]&E-Mail=[redacted]&e_mail=[redacted]"),
    ("token=a&access_token=b&X-Amz-Signature=c", "token=[redacted]&access_token=[redacted]&X-Amz-Signature=[redacted]"),
    ("password=&csrfmiddlewaretoken=a", "password=[redacted]&csrfmiddlewaretoken=[redacted]"),
    ("gclid=1&li_fat_id=2&fbclid=3", "gclid=[redacted]&li_fat_id=[redacted]&fbclid=[redacted]"),
    ("id=1&name=x&city=y&company=z", "id=1&name=x&city=y&company=z"),
    ("=x&&a=1", "a=1"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "expected"), ALL)
def test_with_all_kept_values_of_telling_names_are_redacted(query, expected):
    assert url("/", query, "all") == f"{ORIGIN}/?{expected}"


# Lengths.

MAIL = "max.mustermann@example.net"


def test_a_url_is_at_most_2048_characters_long():
    for path, query in product(
        ["/" + "a" * 10**6, "/" + "é" * 5000, "/a" * 10**5, "/" + MAIL * 200, "/x"],
        ["", "utm_term=" + "b" * 10**6, "ref=a&" * 10**5, "utm_term=" + "%C3%A9" * 900],
    ):
        made = url(path, query)
        assert len(made) <= 2048
        assert unquote(made, errors="strict").startswith(ORIGIN + path[0])
        assert "max" not in made


def test_a_parameter_that_does_not_fit_goes_whole():
    made = url("/", "utm_term=" + "b" * 2000 + "&utm_content=" + "c" * 100 + "&ref=d")

    assert made == f"{ORIGIN}/?utm_term={'b' * 2000}&ref=d"


def test_a_referrer_is_at_most_2048_characters_long():
    made = referrer("https://other.example/" + "%C3%A9" * 10**5)

    assert len(made) <= 2048
    assert unquote(made, errors="strict").endswith("é")


def test_a_text_is_cut():
    assert scrubbed_text("a b " * 1000, 512) == ("a b " * 128)
    assert scrubbed_text("a" * 500, 500) == "a" * 500


CANARIES = [
    MAIL,
    "4111 1111 1111 1111",
    "4111111111111111",
    "DE89 3704 0044 0532 0130 00",
    "e10adc3949ba59abbe56e057f20f883e",
    "+49 170 12345678",
    "203.0.113.77",
    "2001:db8::1234",
]


@pytest.mark.parametrize("canary", CANARIES)
@pytest.mark.parametrize("filler", ["x ", "a@b.de ", "wörter, "])
def test_a_cut_leaves_no_half_of_it(canary, filler):
    for at in range(400, 540):
        text = (filler * 500)[:at] + " " + canary + " " + filler * 500
        kept = scrubbed_text(text, 500)
        assert len(kept) <= 500
        assert canary[:5] not in kept


@pytest.mark.parametrize("canary", [*CANARIES, "eyJhbGciOi.eyJzdWIiOjF9.c2ln"])
def test_no_canary_leaves_by_any_way(canary):
    encoded = quote(canary)
    ways = [
        url(f"/a/{canary}/b"),
        url(f"/a/{encoded}/b"),
        url(f"/a-{canary}"),
        url("/", f"utm_content={quote(encoded)}&x={encoded}"),
        url("/", f"utm_content=a%20{encoded}"),
        url("/", f"utm_content={encoded}&q={encoded}", "all"),
        referrer(f"https://other.example/{encoded}?x={encoded}"),
        referrer(f"https://example.com/{encoded}?ref={encoded}#{encoded}"),
        scrubbed_text(f"Hello {canary}, welcome", 500),
    ]
    for way in ways:
        assert canary not in unquote(unquote(way))
        assert canary[-4:] not in unquote(way)


# Properties.

PIECES = [
    "max@example.com", "%40", "%2540", "@", ".com", "a", "1", "4111", "1111", " ", "-", "+",
    "DE89", "3704", "0044", "0532", "0130", "00", "eyJ", ".", ":", "::", "203.0.113.77",
    "/", "//", ";", "=", "?", "#", "&", "%", "[email]", "[", "]", "e10adc3949ba59ab", "é",
    "\ud800", "\x00", "\n", "icon@2x.png", "utm_source=", "jsessionid", "://",
]  # fmt: skip
odd = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=25).map("".join)
keeps = st.sampled_from([DEFAULT_KEEP, frozenset(), "all"])


@given(odd, st.sampled_from([5, 20, 60, 500]))
@example("icon@2x.png", 10)
@example("a@b.de", 6)
@example("4111 1111 1111 1111", 19)
@example("41111111111111110000", 16)
def test_a_text_scrubbed_twice_is_as_scrubbed_once(text, limit):
    once = scrubbed_text(text, limit)

    assert scrubbed_text(once, limit) == once
    assert len(once) <= limit


@given(odd, odd, keeps)
def test_a_url_scrubbed_twice_is_as_scrubbed_once(path, query, keep):
    once = scrubbed_url("https", "example.com", path, query, keep=keep)

    assert scrubbed_referrer(once, "example.com", keep=keep) == once


@given(odd, keeps)
def test_a_referrer_scrubbed_twice_is_as_scrubbed_once(rest, keep):
    once = scrubbed_referrer("https://other.example/" + rest, "example.com", keep=keep)

    assert once is None or scrubbed_referrer(once, "example.com", keep=keep) == once


@given(odd | st.text(), odd | st.text(), keeps)
def test_whatever_comes_in_a_url_is_clean_ascii(path, query, keep):
    made = scrubbed_url("https", "example.com", path, query, keep=keep)

    assert made.isascii()
    assert made.isprintable()
    assert " " not in made
    assert made.startswith(ORIGIN + "/")
    assert "#" not in made


@given(st.text() | odd.map(lambda rest: f"https://other.example{rest}"))
def test_no_referrer_is_too_odd(text):
    made = referrer(text)

    assert made is None or (made.isascii() and made.isprintable())


# Each is for one of the patterns; what is read twice over costs seconds.
HOSTILE = [
    "a", "a1", "1", "1 ", "4111 ", "4111-", "@", "@a.a", "a@", "%40", "a%40b.", "%25",
    "eyJ", "eyJa.", "eyJa.a.", "::", "1:", "1::", "1.", "1.1.1.1.", "+1 ", "+1-", "+",
    "DE12 ", "DE12", "AL12 A", "://", "://a", ";a=", "a-1_", "x@a-.", "é@", "%", "&", "=",
]  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.parametrize("end", ["", "@", "@a.de", "!"])
def test_64_kib_of_anything_cost_little(piece, end):
    text = piece * (65_536 // len(piece)) + end
    began = time.process_time()
    scrubbed_text(text, 70_000)
    url("/" + text, "utm_term=" + text, "all")
    referrer("https://other.example/" + text)

    assert time.process_time() - began < 0.5  # 0.02 on an idle machine


# Events.


def test_what_a_site_says_of_an_event_is_scrubbed():
    hit = Event(
        context=sample_context(),
        category="Mail to max@example.com",
        action="Call +49 170 1234567",
        label="from 203.0.113.77\r\nX: y",
        params={"to": "eva@example.org", "count": 3, "ok": True},
        extra={"ga4": {"raw": "kept@example.com"}},
    )

    clean = scrubbed_hit(hit)

    assert (clean.category, clean.action) == ("Mail to [email]", "Call [phone]")
    assert clean.label == "from [ip] X: y"
    assert clean.params == {"to": "[email]", "count": 3, "ok": True}
    assert clean.extra == hit.extra
    assert (clean.id, clean.time) == (hit.id, hit.time)


@pytest.mark.parametrize("hit", sample_hits(), ids=lambda hit: type(hit).__name__)
def test_a_clean_hit_stays_the_same_object(hit):
    assert scrubbed_hit(hit) is hit


class Markup(str):
    """A text as templates make it: no sender can keep a hit that holds one."""

    __slots__ = ()

    def __str__(self):  # as Django's
        return self


def test_texts_of_a_class_of_their_own_become_texts():
    event = Event(context=sample_context(), category="Shop", label=Markup("Fern"))
    item = Item(id=Markup("FERN-1"), name=Markup("Fern"))
    order = Purchase(context=sample_context(), transaction_id="1", items=(item,))

    texts = [scrubbed_text(Markup("Fern"), 50), scrubbed_hit(event).label]
    for told in scrubbed_hit(order).items:
        texts += [told.id, told.name]

    assert texts == ["Fern", "Fern", "FERN-1", "Fern"]
    assert {type(text) for text in texts} == {str}


def test_the_number_of_an_order_stays_whatever_it_looks_like():
    hit = Purchase(context=sample_context(), transaction_id="4111111111111111")

    assert scrubbed_hit(hit) is hit


DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


@pytest.mark.parametrize(
    ("user_id", "kept"),
    [
        ("4711", "4711"),
        (DIGEST, DIGEST),  # opaque, though it looks like a token
        ("203.0.113.77", None),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlY2FuYXJ5", None),
        ("max@example.com", None),
        ("user:max@example.com", None),
        ("+491701234567", None),
        ("", None),
        (None, None),
        ("x" * 257, None),
    ],
)
def test_a_user_id_is_opaque_or_none(user_id, kept):
    assert scrubbed_user_id(user_id) == kept
