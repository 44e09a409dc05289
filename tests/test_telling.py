"""`server-tracking send`: one hit, told by hand."""

import json

import pytest

from server_tracking.testing.collector import Collector

pytest.importorskip("click")

from server_tracking.cli import main


@pytest.fixture
def collector():
    collector = Collector()
    collector.script(collector.status(202, b"ok"))
    yield collector
    collector.close()


@pytest.fixture(autouse=True)
def systems(collector, monkeypatch):
    url = f"plausible+http://127.0.0.1:{collector.port}/?domain=shop.example"
    monkeypatch.setenv("SERVER_TRACKING_SYSTEMS", url)


VISITOR = ["--user-agent", "Mozilla/5.0 Firefox/140.0", "--address", "203.0.113.7"]


def test_a_page_view_arrives(collector, capsys):
    asked = ["send", "pageview", "--url", "https://shop.example/fern", *VISITOR]

    assert main(asked) == 0
    [request] = collector.requests
    assert request.json["url"] == "https://shop.example/fern"
    assert "delivered" in capsys.readouterr().out


def test_fields_and_properties_arrive(collector):
    asked = [
        *["send", "event", "category=Deploy", "action=Done", "value=3"],
        *["--url", "https://shop.example/", "-p", "colour=green", *VISITOR],
    ]

    assert main(asked) == 0
    assert collector.requests[0].json["props"]["colour"] == "green"


def test_the_address_is_made_anonymous(collector):
    main(["send", "pageview", "--url", "https://shop.example/", *VISITOR])

    assert collector.requests[0].headers["x-forwarded-for"] == "203.0.113.0"


def test_personal_data_is_taken_out(collector):
    url = "https://shop.example/?mail=ada@example.org"

    assert main(["send", "pageview", "--url", url, *VISITOR]) == 0
    assert b"ada@" not in collector.requests[0].body


def test_a_dry_run_sends_nothing(collector, capsys):
    asked = [
        "send",
        "pageview",
        "--url",
        "https://shop.example/",
        *VISITOR,
        "--dry-run",
    ]

    assert main([*asked, "--json"]) == 0
    [told] = json.loads(capsys.readouterr().out)
    assert told["system"] == "plausible"
    assert told["verdict"] is None
    assert collector.requests == []


def test_a_hit_that_the_system_cannot_be_told_is_code_1(collector, capsys):
    assert main(["send", "event", "category=A"]) == 1  # Plausible needs a page
    assert "unsupported" in capsys.readouterr().out
    assert collector.requests == []


def test_a_refused_hit_is_code_1(collector, capsys):
    collector.script(collector.status(400))

    assert main(["send", "pageview", "--url", "https://shop.example/", *VISITOR]) == 1
    assert "rejected" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pageveiw"], "pageview"),
        (["event", "categroy=A"], "'categroy'; it has: category, action"),
        (["event", "category"], "no '='"),
        (["event"], "category"),
        (["pageview", "--url", "fern"], "not a web address"),
        (["timing", "category=A", "variable=b", "value=soon"], "value"),
    ],
)
def test_wrong_use_is_code_2_and_says_what_is_accepted(arguments, said, capsys):
    assert main(["send", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_without_a_system_it_names_the_variable(monkeypatch, capsys):
    monkeypatch.delenv("SERVER_TRACKING_SYSTEMS")

    assert main(["send", "event", "category=A"]) == 2
    assert "SERVER_TRACKING_SYSTEMS" in capsys.readouterr().err
