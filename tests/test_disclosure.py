"""`server-tracking report-data`: which data goes to which company, by asking."""

import json

import pytest

from server_tracking import Settings
from server_tracking.disclosure.fields import (
    ADDRESS,
    EVENTS,
    FIELDS,
    TAG_IDS,
    fields_told,
)
from server_tracking.disclosure.flows import flows_of
from server_tracking.disclosure.report import as_json, as_markdown
from server_tracking.hits import Consent
from server_tracking.systems import (
    GoogleAnalytics4,
    Matomo,
    Plausible,
    discovered_systems,
)

KEY = "a secret key for tests"
SAID = ("nothing yet", "no, by Sec-GPC", "yes", "no")
ALLOWED = Consent(analytics=True)
VISITOR = "random id of the visitor"
PAGE = "address of the page, with its campaign"


def told(settings, system=None):
    """Say in which situation anything is told."""
    (flow,) = flows_of([system or Plausible("example.com")], settings).flows
    return {one.what: bool(one.fields) for one in flow.situations}


@pytest.mark.parametrize(
    ("mode", "where"),
    [
        ("session", (True, False, True, False)),
        ("opt-in", (False, False, True, False)),
        ("opt-out", (True, False, True, False)),
    ],
)
def test_what_is_told_follows_from_what_the_visitor_said(mode, where):
    settings = Settings(secret_key=KEY, consent_mode=mode)

    assert told(settings) == dict(zip(SAID, where, strict=True))


def test_a_signal_that_is_not_honoured_is_shown_so():
    settings = Settings(secret_key=KEY, honor_gpc=False)

    assert told(settings)["no, by Sec-GPC"]


@pytest.mark.parametrize("system", sorted(discovered_systems()))
def test_nothing_is_told_of_whom_refuses_and_the_page_of_whom_agrees(system):
    example = discovered_systems()[system].example()
    (flow,) = flows_of([example], Settings(secret_key=KEY)).flows
    said = {one.what: one.fields for one in flow.situations}

    assert said["no"] == said["no, by Sec-GPC"] == ()
    assert PAGE in said["yes"]
    assert set(said["yes"]) <= set(FIELDS)


def test_a_system_without_ids_of_visitors_is_told_none():
    assert VISITOR not in fields_told(Plausible("example.com"), ALLOWED)
    assert VISITOR in fields_told(GoogleAnalytics4("G-XXXX", "made-up"), ALLOWED)


def test_events_and_the_address_are_told_to_a_matomo():
    fields = fields_told(Matomo("https://stats.example.com/", 1), ALLOWED)

    assert {ADDRESS, EVENTS} <= set(fields)


@pytest.mark.parametrize(
    ("system", "company", "host", "encrypted", "own_ends"),
    [
        (
            GoogleAnalytics4("G-XXXX", "made-up"),
            "Google",
            "www.google-analytics.com",
            True,
            True,
        ),
        (Plausible("example.com"), "Plausible Insights", "plausible.io", True, False),
        (
            Matomo("http://stats.example.com/", 1),
            "whoever runs stats.example.com",
            "stats.example.com",
            False,
            False,
        ),
    ],
)
def test_who_gets_it_is_named(system, company, host, encrypted, own_ends):
    (flow,) = flows_of([system], Settings(secret_key=KEY)).flows

    assert (flow.company, flow.host) == (company, host)
    assert (flow.encrypted, flow.own_ends) == (encrypted, own_ends)


def test_the_report_says_how_addresses_and_pages_are_told():
    whole = Settings(secret_key=KEY, anonymize_ip=False, page_path="route")
    text = as_markdown(flows_of([Plausible("example.com")], whole))

    assert "- IP address: whole" in text
    assert "the route in place of the path" in text
    assert "/24, /48" in as_markdown(flows_of([], Settings(secret_key=KEY)))


@pytest.mark.parametrize(
    ("level", "words"),
    [("strict", "cut to a large network (/16, /32)"), ("omit", "not told")],
)
def test_the_report_says_what_is_left_of_an_address(level, words):
    settings = Settings(secret_key=KEY, anonymize_ip=level)
    text = as_markdown(flows_of([Plausible("example.com")], settings))

    assert f"- IP address: {words}\n" in text
    assert ("| IP address |" in text) is (level != "omit")


def test_a_site_that_names_its_hosts_has_the_same_report():
    named = Settings(secret_key=KEY, allowed_hosts=(".shop.example",))
    plausible = [Plausible("example.com")]

    assert flows_of(plausible, named) == flows_of(plausible, Settings(secret_key=KEY))


def test_the_tables_of_the_report_are_whole():
    systems = [kind.example() for kind in discovered_systems().values()]
    text = as_markdown(flows_of(systems, Settings(secret_key=KEY)))
    rows = [line for line in text.splitlines() if line.startswith("|")]

    assert {row.count("|") for row in rows} == {len(SAID) + 2}
    assert text.count("## ") == len(systems)


def test_no_secret_is_in_a_report():
    system = GoogleAnalytics4("G-XXXX", "a-canary-secret")
    flows = flows_of([system], Settings(secret_key="a canary secret key"))

    for text in (as_markdown(flows), as_json(flows)):
        assert "canary" not in text


def test_machines_read_the_same():
    flows = flows_of([Plausible("example.com")], Settings(secret_key=KEY))
    said = json.loads(as_json(flows))

    assert said["consent_mode"] == "session"
    assert said["flows"][0]["situations"][2]["cookie"] == "cookie vn, for 395 days"


@pytest.fixture
def run(monkeypatch, capsys):
    pytest.importorskip("click")
    from server_tracking.cli import main

    def run(*arguments, **environ):
        for name, value in environ.items():
            monkeypatch.setenv(f"SERVER_TRACKING_{name}", value)
        code = main(["report-data", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_the_command_reports_what_the_environment_configures(run):
    code, out, _ = run(
        SYSTEMS="plausible+https://plausible.io/?domain=example.com",
        CONSENT_MODE="opt-in",
        SECRET_KEY=KEY,
    )

    assert code == 0
    assert "`opt-in`" in out
    assert "Plausible Insights" in out


def test_the_command_takes_systems_by_their_urls(run):
    code, out, _ = run("ga4://made-up@G-XXXX", "--json")

    assert code == 0
    assert json.loads(out)["flows"][0]["company"] == "Google"


@pytest.mark.parametrize(
    ("arguments", "environ", "said"),
    [
        ([], {"SYSTEMS": ""}, "No analytics system"),
        (["nonsense"], {}, "option systems"),
        (["ga4://made-up@G-XXXX"], {"SAMPLE_RATE": "2"}, "option sample_rate"),
    ],
)
def test_wrong_use_is_told_with_exit_code_2(run, arguments, environ, said):
    code, _, err = run(*arguments, **environ)

    assert code == 2
    assert said in err


def told_ids_of_tags(system, **options):
    settings = Settings(secret_key=KEY, **options)
    (flow,) = flows_of([system], settings).flows
    return flow.tag_cookies, [TAG_IDS in one.fields for one in flow.situations]


def test_ids_of_a_systems_own_tag_are_told_of_where_they_are_read():
    matomo = Matomo("https://stats.example.com/", site_id=7)

    assert told_ids_of_tags(matomo) == ((), [False] * 4)
    assert told_ids_of_tags(matomo, adopt_browser_ids=True) == (
        ("_pk_id.7.*",),
        [True, False, True, False],
    )
    assert told_ids_of_tags(
        matomo, adopt_browser_ids=True, consent_mode="cookieless"
    ) == (("_pk_id.7.*",), [False, False, True, False])


def test_a_system_without_cookies_of_its_own_tells_of_none():
    found = told_ids_of_tags(Plausible("example.com"), adopt_browser_ids=True)

    assert found == ((), [False] * 4)


def test_the_report_names_the_cookies_of_tags():
    settings = Settings(secret_key=KEY, adopt_browser_ids=True)
    google = GoogleAnalytics4("G-ABC", api_secret="made-up")
    report = as_markdown(flows_of([google], settings))

    assert "own tag are read: `_ga`, `_ga_ABC`." in report
    assert f"| {TAG_IDS} | yes | - | yes | - |" in report
