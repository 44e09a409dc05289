"""`server-tracking check` and `parameters`, as they are typed, and against the inspector."""

import json

import pytest
from click.testing import CliRunner

from server_tracking.checking.command import check
from server_tracking.cli import main
from server_tracking.inspector.server import (
    listening_socket,
    serving_inspector,
    url_of,
)
from server_tracking.inspector.store import HitStore
from server_tracking.reference.command import parameters
from server_tracking.reference.report import as_json, as_markdown, as_text
from server_tracking.reference.rows import rows_of
from server_tracking.systems import Plausible

CANARY = "CanarySecret4711"
UMAMI_ID = "11111111-2222-4333-8444-555555555555"
KEY = f"phc_{CANARY}{CANARY}"
# No variable of the machine that runs the tests counts.
EMPTY = {"SERVER_TRACKING_SYSTEMS": ""}


def run(*arguments, command=check, **environ):
    names = {f"SERVER_TRACKING_{name}": value for name, value in environ.items()}
    return CliRunner().invoke(
        command, arguments, env={**EMPTY, **names}, standalone_mode=False
    )


@pytest.fixture
def store():
    return HitStore()


@pytest.fixture
def inspector(store):
    with listening_socket() as listening, serving_inspector(store, listening) as url:
        yield url


def all_systems(at):
    host = at.removeprefix("http://")
    return " ".join(
        [
            f"ga4://{CANARY}@G-ABC123?endpoint={at}/mp/collect",
            f"ua+http://UA-1-1@{host}/collect",
            f"matomo+http://{CANARY}@{host}/?site_id=1",
            f"plausible+http://{host}/?domain=example.com",
            f"umami+http://{host}/?website_id={UMAMI_ID}",
            f"posthog+http://{KEY}@{host}",
            f"goatcounter+http://{CANARY}@{host}",
        ]
    )


def test_the_environment_is_checked():
    done = run(
        SYSTEMS="plausible+https://plausible.io/?domain=example.com",
        SECRET_KEY=CANARY,
        TRUSTED_PROXIES="127.0.0.1",
    )

    assert done.return_value == 0
    assert "127.0.0.1 may name the visitor by X-Forwarded-For" in done.stdout
    assert "  valid      9 of 9 kinds     pageview, screenview, " in done.stdout
    assert done.stdout.endswith("\nFine: plausible.\n")
    assert done.stderr == ""
    assert CANARY not in done.stdout


def test_urls_are_checked_without_settings():
    done = run("ua://UA-1-1", SYSTEMS="nonsense")

    assert done.return_value == 0
    assert "Settings" not in done.stdout
    assert done.stdout.startswith("universal_analytics\n")


def test_a_wrong_configuration_is_code_2_and_one_line():
    done = run(f"ga4://{CANARY}@UA-1-1")

    assert done.return_value == 2
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("Error: ")
    assert line.endswith("[option measurement_id]")
    assert CANARY not in line


def test_a_wrong_configuration_is_json_for_machines():
    done = run("--json", CONSENT_MODE="maybe", SYSTEMS="ua://UA-1-1")

    assert done.return_value == 2
    assert json.loads(done.stdout)["error"]["option"] == "consent_mode"


@pytest.mark.parametrize(
    "arguments", [["check", "--page", "nowhere"], ["check", "--timeout", "0"]]
)
def test_wrong_use_is_code_2(arguments, capsys):
    assert main(arguments) == 2
    assert "Error:" in capsys.readouterr().err


def test_the_exit_code_reaches_the_shell(capsys):
    assert main(["check", "nosuch://x"]) == 2
    assert main(["check", "ua://UA-1-1"]) == 0
    assert "known are" in capsys.readouterr().err


def test_nothing_arrives_unless_somebody_says_so(inspector, store):
    done = run(SYSTEMS=all_systems(inspector))

    assert done.return_value == 0
    assert done.stdout.count("--online asks it") == 2
    assert store.hits() == []


def test_validators_are_asked_online(inspector, store):
    done = run("--online", "--json", SYSTEMS=all_systems(inspector))

    assert done.return_value == 0
    asked = {
        one["system"]: len(one["validations"])
        for one in json.loads(done.stdout)["systems"]
        if one["validations"] is not None
    }
    assert asked == {"google_analytics_4": 9, "universal_analytics": 9}
    assert {one.hit.system for one in store.hits()} == set(asked)


def test_a_test_event_reaches_every_system(inspector, store):
    page = "https://www.example.com/check"
    done = run("--send", "--json", "--page", page, SYSTEMS=all_systems(inspector))

    assert done.return_value == 0, done.stdout
    sent = {
        one["system"]: one["delivery"] for one in json.loads(done.stdout)["systems"]
    }
    assert {one["verdict"] for one in sent.values()} == {"delivered"}
    arrived = {one.hit.system: one for one in store.hits()}
    assert arrived.keys() == sent.keys()
    for system, stored in arrived.items():
        digits = sent[system]["event"].rpartition(" ")[2]
        assert stored.valid, system
        assert digits in stored.hit.name, system


def test_neither_secrets_nor_paths_of_calls_are_printed(inspector):
    for form in ([], ["--json"]):
        done = run("--online", "--send", *form, SYSTEMS=all_systems(inspector))
        assert done.return_value == 0
        assert CANARY not in done.output
        assert inspector not in done.output
        assert "/api/event" not in done.output
        assert "api_secret=" not in done.output


def test_a_collector_that_cannot_be_reached_is_code_1():
    with listening_socket() as closed:
        host = url_of(closed).removeprefix("http://")

    done = run("--send", "--timeout", "2", f"plausible+http://{host}/?domain=x.org")

    assert done.return_value == 1
    assert "not taken now; a tracker would try again" in done.stdout
    assert done.stdout.endswith("Not fine: plausible.\n")
    assert f"  found      {host}" in done.stdout


# Parameters


@pytest.mark.parametrize(
    ("form", "write"),
    [([], as_text), (["--json"], as_json), (["--markdown"], as_markdown)],
)
def test_the_parameters_of_a_system_are_printed(form, write):
    tables = {"plausible": rows_of(Plausible)}
    done = run("plausible", *form, command=parameters)

    assert done.exit_code == 0
    assert done.stdout.rstrip() == write(tables).rstrip()


def test_a_system_may_be_named_by_its_scheme():
    done = run("ua", command=parameters)

    assert done.stdout.startswith("universal_analytics: ")


def test_an_unknown_system_is_code_2_and_names_the_known(capsys):
    assert main(["parameters", "omniture"]) == 2

    said = capsys.readouterr().err
    assert "'omniture'" in said
    assert "google_analytics_4" in said


UWSGI = """
[uwsgi]
module = shop:app
; a comment
die-on-term = true
"""


def test_the_options_of_uwsgi_are_checked_beside(tmp_path):
    (tmp_path / "uwsgi.ini").write_text(UWSGI)

    done = run("ua://UA-1-1", "--uwsgi", str(tmp_path / "uwsgi.ini"))

    assert done.return_value == 0
    assert "uWSGI\n  warning    enable-threads   off: before" in done.stdout
    assert "  warning    die-on-term      a worker that serves" in done.stdout


def test_a_file_that_is_not_uwsgis_is_wrong_use(tmp_path, capsys):
    (tmp_path / "other.ini").write_text("[app]\nx = 1\n")

    code = main(["check", "ua://UA-1-1", "--uwsgi", str(tmp_path / "other.ini")])

    assert code == 2
    assert "no section [uwsgi]" in capsys.readouterr().err
