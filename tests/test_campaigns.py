"""Campaign parameters: found, decoded, bounded."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from server_tracking.campaigns import campaign_from
from server_tracking.hits import Campaign

CLICK_IDS = [
    "gclid",
    "dclid",
    "gbraid",
    "wbraid",
    "msclkid",
    "fbclid",
    "ttclid",
    "twclid",
    "li_fat_id",
    "yclid",
    "igshid",
]


def test_all_parts_are_found():
    query = (
        "utm_source=news&utm_medium=email&utm_campaign=spring&utm_term=shoes"
        "&utm_content=top&utm_id=42"
    )

    assert campaign_from(query) == Campaign(
        source="news",
        medium="email",
        name="spring",
        term="shoes",
        content="top",
        id="42",
    )


MATOMO = [
    ("mtm_source=a", Campaign(source="a")),
    ("pk_source=a", Campaign(source="a")),
    ("mtm_medium=a", Campaign(medium="a")),
    ("pk_medium=a", Campaign(medium="a")),
    ("mtm_campaign=a", Campaign(name="a")),
    ("pk_campaign=a", Campaign(name="a")),
    ("mtm_kwd=a", Campaign(term="a")),
    ("mtm_keyword=a", Campaign(term="a")),
    ("pk_kwd=a", Campaign(term="a")),
    ("pk_keyword=a", Campaign(term="a")),
    ("mtm_content=a", Campaign(content="a")),
    ("pk_content=a", Campaign(content="a")),
    ("mtm_cid=a", Campaign(id="a")),
    ("pk_cid=a", Campaign(id="a")),
    ("pk_source=c&mtm_source=b&utm_source=a", Campaign(source="a")),
    ("pk_source=c&mtm_source=b&utm_source=", Campaign(source="b")),
    ("pk_source=c&mtm_source=%20&utm_medium=m", Campaign(source="c", medium="m")),
]


@pytest.mark.parametrize(("query", "campaign"), MATOMO)
def test_matomos_names_count_where_googles_are_not_given(query, campaign):
    assert campaign_from(query) == campaign


@pytest.mark.parametrize("name", CLICK_IDS)
def test_click_ids_are_kept_by_their_names(name):
    found = campaign_from(f"page=2&{name}=Ab-_9&x")

    assert found == Campaign(click_ids={name: "Ab-_9"})


def test_several_click_ids_stand_side_by_side():
    found = campaign_from("gclid=1&utm_source=a&fbclid=2&gclid=3")

    assert found == Campaign(source="a", click_ids={"gclid": "1", "fbclid": "2"})


# (value of utm_source as sent, source)
DECODED = [
    ("spring+sale", "spring sale"),
    ("spring%20sale", "spring sale"),
    ("a%2Bb", "a+b"),
    ("a%26b%3Dc", "a&b=c"),
    ("a=b", "a=b"),
    ("%C3%BCber", "\u00fcber"),
    ("\u00c3\u00bcber", "\u00fcber"),  # raw UTF-8, handed on as Latin-1
    ("\u65e5\u672c", "\u65e5\u672c"),  # no server's form, but meant well
    ("%E6%97%A5", "\u65e5"),
    ("a%FFb", "a\ufffdb"),
    ("%ED%A0%80", "\ufffd\ufffd\ufffd"),  # a surrogate is no UTF-8
    ("a%zzb", "a%zzb"),
    ("100%", "100%"),
    ("%25C3", "%C3"),  # decoded once
    ("a%0D%0Ab", "ab"),
    ("a%00%1F%7F%C2%85b", "ab"),
    ("a%E2%80%A8b", "ab"),
    ("+a+", "a"),
    ("%00", None),
    ("+", None),
    ("", None),
    ("\ud800", "?"),
    ("x" * 300, "x" * 200),
    ("%C3%BC" * 300, "\u00fc" * 200),
]


@pytest.mark.parametrize(("sent", "source"), DECODED)
def test_values_are_decoded_cleaned_and_cut(sent, source):
    assert campaign_from(f"a=b&utm_source={sent}").source == source


def test_click_ids_are_cut_later():
    assert campaign_from("gclid=" + "x" * 300).click_ids == {"gclid": "x" * 256}


def test_the_first_value_that_is_not_empty_wins():
    query = "utm_source&utm_source=&utm_source=+&utm_source=a&utm_source=b"

    assert campaign_from(query).source == "a"


NAMELESS = [
    "",
    "page=2&sort=price",
    "utm_foo=1",
    "xutm_source=1",
    "utm_source_platform=1",
    "utm_source",
    "utm_source=",
    "UTM_SOURCE=a",
    "xgclid=1",
    "q=utm_source",
    "a;utm_source=1",
    "q=what+is+a+gclid",
]


@pytest.mark.parametrize("query", NAMELESS)
def test_a_query_without_a_campaign_gives_the_one_empty_campaign(query):
    assert campaign_from(query) is campaign_from("")
    assert campaign_from(query) == Campaign()


def test_a_huge_query_is_not_read_to_its_end():
    assert campaign_from("a=" + "b" * 8192 + "&utm_source=c") == Campaign()
    assert campaign_from("a&" * 100 + "utm_source=c") == Campaign()
    assert campaign_from("a&" * 99 + "utm_source=c&" + "a&" * 100).source == "c"
    assert campaign_from("utm_source=" + "b" * 1_000_000).source == "b" * 200


@pytest.mark.parametrize("piece", ["&utm_source=", "%", "utm_", "&", "+", "%41", "="])
def test_no_query_is_slow(piece):
    begun = time.thread_time()
    campaign_from("gclid=" + piece * 100_000)

    assert time.thread_time() - begun < 0.05


@given(st.text(), st.text())
@example("\ud800", "%")
def test_no_query_is_too_odd(before, value):
    found = campaign_from(f"{before}&utm_source={value}&gclid={value}")

    for text in (found.source or "", *found.click_ids.values()):
        text.encode()
        assert len(text) <= 256
        assert not any(ord(c) < 32 for c in text)
