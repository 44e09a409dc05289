import copy
import re

import pytest

from server_tracking.patterns import pattern_from


def test_it_acts_as_the_compiled_pattern_does():
    late = pattern_from(r"(?P<word>[a-z]+)([0-9])?")

    assert late.match("abc1").groups() == ("abc", "1")
    assert late.fullmatch("abc!") is None
    assert late.search("  abc")["word"] == "abc"
    assert late.findall("a1 b") == [("a", "1"), ("b", "")]
    assert [found.start() for found in late.finditer("a b")] == [0, 2]
    assert late.sub("-", "a b") == "- -"
    assert late.split("1a2") == ["1", "a", "2", ""]
    assert late.groupindex == {"word": 1}


def test_a_pattern_of_bytes_reads_bytes():
    assert pattern_from(rb"<(\w)>").search(b"a<b>")[1] == b"b"


def test_flags_count():
    assert pattern_from("a.b", re.DOTALL | re.IGNORECASE).fullmatch("A\nB")


def test_nothing_is_compiled_before_it_is_used():
    late = pattern_from("(")  # which cannot be compiled

    with pytest.raises(re.error):
        late.search("text")


def test_a_method_is_looked_up_once():
    late = pattern_from("a")

    assert late.search is late.search


def test_what_no_pattern_has_is_an_attribute_error():
    with pytest.raises(AttributeError, match="shout"):
        pattern_from("a").shout  # noqa: B018


def test_a_copy_is_as_good():
    assert copy.copy(pattern_from("a")).fullmatch("a")
