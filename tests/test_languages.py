"""The preferred language: by quality, in its canonical case."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_tracking.languages import language_from

PREFERRED = [
    ("de", "de"),
    ("en-GB", "en-GB"),
    ("de,en-GB;q=0.8", "de"),
    ("en-US,en;q=0.5", "en-US"),
    ("en;q=0.5, de;q=0.9, fr;q=0.7", "de"),
    ("en;q=0.8,de;q=0.8", "en"),  # of equals the first
    ("en;q=0.8,de", "de"),  # no weight is a weight of 1
    ("en;q=1.000,de", "en"),
    ("en;q=0.001", "en"),
    ("en ; q=0.5 ,\tde ;\tq=0.9\t", "de"),
    ("en;Q=0.5,de;q=0.4", "en"),
    (",, de", "de"),
    # not acceptable, or no language
    ("en;q=0", None),
    ("en;q=0.000,de;q=0.1", "de"),
    ("*", None),
    ("*;q=1,de;q=0.1", "de"),
    ("", None),
    (None, None),
    (" , ;q=1", None),
    # no weight of RFC 9110
    ("en;q=1.5,de;q=0.1", "de"),
    ("en;q=0.1234,de;q=0.1", "de"),
    ("en;q=-1,de;q=0.1", "de"),
    ("en;q=nan,de;q=0.1", "de"),
    ("en;q=1e1,de;q=0.1", "de"),
    ("en;q=\u0661,de;q=0.1", "de"),
    ("en;level=1,de;q=0.1", "de"),
    ("en;,de;q=0.1", "de"),
]


@pytest.mark.parametrize(("header", "language"), PREFERRED)
def test_the_language_of_highest_quality_is_preferred(header, language):
    assert language_from(header) == language


# (tag as sent, tag in the case of RFC 5646 section 2.1.1); its appendix A has most.
WRITTEN = [
    ("EN", "en"),
    ("en-gb", "en-GB"),
    ("EN-gb", "en-GB"),
    ("zh-hant-tw", "zh-Hant-TW"),
    ("ZH-HANT-TW", "zh-Hant-TW"),
    ("sr-latn-rs", "sr-Latn-RS"),
    ("es-419", "es-419"),
    ("fil", "fil"),
    ("sl-ROZAJ-biske", "sl-rozaj-biske"),
    ("de-ch-1901", "de-CH-1901"),
    ("hy-latn-it-AREVELA", "hy-Latn-IT-arevela"),
    ("zh-CMN-hans-cn", "zh-cmn-Hans-CN"),
    ("de-1A2b", "de-1a2b"),
    ("de-de-U-co-PHONEBK", "de-DE-u-co-phonebk"),
    ("en-US-u-islamcal", "en-US-u-islamcal"),
    ("en-ca-X-ca", "en-CA-x-ca"),
    ("sgn-be-fr", None),
    ("de-419-DE", None),
    ("a-DE", None),
    ("ar-a", None),
    ("de_DE", None),
    ("d", None),
    ("de-", None),
    ("-de", None),
    ("de--DE", None),
    ("de-x", None),
    ("toolonglanguage", None),
    ("x-private", None),
    ("i-klingon", None),
    ("d\u0435", None),  # a Cyrillic letter
    ("\u212ao", None),  # the Kelvin sign, in lower case a k
    ("de DE", None),
    ("<script>", None),
    ("de\0", None),
    ("de\n", None),
    ("en-u-" + "-".join(["abcdefgh"] * 4), None),  # longer than any tag in use
]


@pytest.mark.parametrize(("sent", "written"), WRITTEN)
def test_a_tag_is_written_in_its_canonical_case_or_ignored(sent, written):
    assert language_from(sent) == written
    assert language_from(f"{sent},fr;q=0.1") == (written or "fr")


def test_a_huge_header_is_not_read_to_its_end():
    assert language_from("en;q=0.1," * 50 + "de") == "en"
    assert language_from("en;q=0.1," * 49 + "de") == "de"
    assert language_from("*," * 499 + "en-GB") is None
    # The 1000th character stands within the last tag: half a tag is another tag.
    assert language_from("fr;q=0.1," + " " * 988 + "en-GB") == "fr"
    assert language_from("x" * 1_000_000) is None


@given(st.one_of(st.text(), st.text("deENx-;,q=.01* ", max_size=60)))
def test_whatever_comes_a_language_is_a_tag(header):
    language = language_from(header)

    assert language is None or re.fullmatch(r"[a-z]{2,8}(-[A-Za-z0-9]+)*", language)
    if language:
        assert language_from(language) == language
