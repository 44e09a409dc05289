"""`server-tracking explain`: what becomes of a request, on the command line."""

import json

import pytest
from click.testing import CliRunner

from server_tracking.checking.explaining import explain

URL = "https://www.example.com/plants?utm_source=mail&token=hush"
ENVIRON = {
    "SERVER_TRACKING_SYSTEMS": "plausible+https://plausible.io/?domain=example.com",
    "SERVER_TRACKING_SECRET_KEY": "hush hush, a key for tests",
}


@pytest.fixture
def run():
    def run(*arguments, environ=ENVIRON):
        return CliRunner(env=environ).invoke(
            explain, arguments, standalone_mode=False, catch_exceptions=False
        )

    return run


def test_a_page_view_is_explained(run):
    said = run(URL).output

    assert said.startswith("A page view.")
    assert "https://www.example.com/plants?utm_source=mail" in said
    assert "plausible" in said
    assert "hush" not in said


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["-X", "POST"], "method"),
        (["-H", "Cookie: cookie_status=0"], "denied"),
        (["-H", "Sec-Purpose: prefetch"], "speculative"),
        (["-H", "User-Agent:"], "bot"),
        (["--status", "404"], "status"),
        (["--status", "200", "--content-type", "application/json"], "not_html"),
    ],
)
def test_what_is_no_page_view_is_named_by_its_reason(run, arguments, reason):
    assert run(URL, *arguments).output.startswith(f"No page view: {reason}. ")


def test_machines_get_json(run):
    told = json.loads(run(URL, "--json").output)

    assert told["page_view"] is True
    assert told["context"]["campaign"] == {"source": "mail"}


def test_a_proxy_that_is_trusted_names_the_visitor(run):
    environ = {**ENVIRON, "SERVER_TRACKING_TRUSTED_PROXIES": "203.0.113.7"}
    said = run(URL, "-H", "X-Forwarded-For: 198.51.100.9", environ=environ).output

    assert "198.51.100.0" in said


@pytest.mark.parametrize(
    ("arguments", "environ", "said"),
    [
        (["not a url"], ENVIRON, "not a web address"),
        ([URL, "-H", "no colon"], ENVIRON, "has no colon"),
        ([URL], {"SERVER_TRACKING_COOKIE_NAM": "x"}, "cookie_name"),
        ([URL], {"SERVER_TRACKING_SYSTEMS": "nobody://x"}, "nobody"),
    ],
)
def test_wrong_use_is_said_plainly(arguments, environ, said):
    result = CliRunner(env=environ).invoke(explain, arguments)

    assert result.exit_code == 2
    assert said in result.output
    assert "Traceback" not in result.output
