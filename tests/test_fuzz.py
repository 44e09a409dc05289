"""The targets of tools/fuzz.py, for a moment each; and what fuzzing has found."""

import importlib.util
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server_tracking.exchange import Request
from server_tracking.platforms import onetrust
from server_tracking.replaying.lines import served_from
from server_tracking.titles import TitleReader

FUZZ = Path(__file__).parent.parent / "tools/fuzz.py"
spec = importlib.util.spec_from_file_location("fuzz", FUZZ)
fuzz = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fuzz)


@pytest.mark.parametrize("name", fuzz.TARGETS)
def test_each_target_takes_its_seeds(name):
    assert fuzz.SEEDS[name]
    for seed in fuzz.SEEDS[name]:
        fuzz.TARGETS[name](seed)
        fuzz.TARGETS[name](seed[: len(seed) // 2])


@pytest.mark.parametrize("name", fuzz.TARGETS)
@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.differing_executors],
)
@given(data=st.binary(max_size=120))
def test_each_target_takes_any_bytes(name, data):
    fuzz.TARGETS[name](data)


def test_a_target_that_nobody_knows_is_refused():
    with pytest.raises(SystemExit, match=r"usage: .*cookies,headers"):
        fuzz.main(["cookie"])


def test_a_cookie_of_many_fields_is_no_decision_and_no_error():
    cookie = "OptanonConsent=" + "&".join(["a=1"] * 65) + "; OptanonAlertBoxClosed=1"

    assert onetrust()(Request(headers={"cookie": cookie})) is None


def test_a_broken_escape_of_iso_2022_jp_ends_the_search_for_a_title():
    """CPython's decoder raises there, though it is told to replace what is wrong."""
    broken = TitleReader(None, "iso-2022-jp")
    broken.feed(b"<!-<title>a &amp\x1b$b</title>")
    sound = TitleReader(None, "iso-2022-jp")
    sound.feed(b"<title>\x1b$B%7%@\x1b(B</title>")

    assert (broken.title, broken.done) == (None, True)
    assert sound.title == "\u30b7\u30c0"


@pytest.mark.parametrize(
    "line",
    [
        '{"a": "\udc94"}',
        "{" + '"a":{' * 50_000,
        '{"hit": {"kind": "pageview", "url": "http://[", "time": 1}}',
        '{"time": "nan", "status": 200, "uri": "/"}',
        '{"time": "inf", "status": 200, "uri": "/"}',
        '{"time": "0001-01-01T00:00:00", "status": 200, "uri": "/"}',
        '{"time": 1, "status": "' + "1" * 5000 + '", "uri": "/"}',
        '{"time": 1, "status": "²", "uri": "/"}',
    ],
)
def test_a_line_that_nobody_logs_is_no_line_of_a_log(line):
    assert served_from(line) is None
