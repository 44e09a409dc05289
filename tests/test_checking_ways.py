"""How calls leave: names, proxies, and what uWSGI was told."""

import socket

import pytest

from server_tracking.checking.findings import Fact, Report, SystemFinding, Way
from server_tracking.checking.inquiry import Inquiry, report_of
from server_tracking.checking.installation import Installation
from server_tracking.checking.reaching import proxy_of, resolved, ways_of
from server_tracking.checking.report import as_text
from server_tracking.checking.serving import facts_of_uwsgi, uwsgi_options_from
from server_tracking.systems import GoogleAnalytics4, Matomo, Plausible

NOW = 1790000000.0
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def names(monkeypatch):
    """The names that resolve, and to what; the resolver of the system is not asked."""
    known = {}

    def getaddrinfo(name, port, *args, **kwargs):
        if name not in known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        kind = socket.AF_INET, socket.SOCK_STREAM, 6, ""
        return [(*kind, (address, port)) for address in known[name]]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


def test_each_host_of_a_system_is_listed_once():
    assert list(ways_of(Matomo("https://m.example:8443/", 1), NOW)) == [
        Way("m.example:8443")
    ]


def test_the_host_of_its_validator_counts_too():
    system = GoogleAnalytics4("G-ABC123", "s", endpoint="https://c.example/mp/collect")

    assert "c.example:443" in [way.host for way in ways_of(system, NOW)]


def test_a_name_that_resolves_is_told_with_its_number_of_addresses(names):
    names["m.example"] = ["192.0.2.1", "192.0.2.2"]

    way = resolved(Way("m.example:443"))

    assert (way.addresses, way.failure) == (2, "")
    assert way.ms >= 0


def test_a_name_that_does_not_resolve_is_named(names):
    way = resolved(Way("nowhere.example:443"))

    assert way.addresses == 0
    assert way.failure == "nowhere.example: Name or service not known"


@pytest.mark.parametrize("host", ["a..b:443", f"{'x' * 64}.example:443"])
def test_what_can_be_no_name_is_a_failure_as_well(host):
    assert resolved(Way(host)).failure


def test_an_address_needs_no_name():
    assert resolved(Way("127.0.0.1:80")).addresses == 1
    assert resolved(Way("[::1]:80")).addresses == 1


@pytest.mark.parametrize(
    ("environ", "url", "proxy"),
    [
        ({}, "https://a.example/", ""),
        (
            {"https_proxy": "http://p.example:3128"},
            "https://a.example/",
            "p.example:3128",
        ),
        (
            {"HTTPS_PROXY": "http://me:s3cr3t@p.example"},
            "https://a.example/",
            "p.example:80",
        ),
        ({"https_proxy": "p.example:3128"}, "https://a.example/", "p.example:3128"),
        ({"https_proxy": "http://p.example:3128"}, "http://a.example/", ""),
        ({"all_proxy": "socks5://p.example"}, "https://a.example/", "p.example:1080"),
        (
            {"https_proxy": "http://p.example:1", "no_proxy": "a.example"},
            "https://a.example/",
            "",
        ),
    ],
    ids=str,
)
def test_the_proxy_is_that_of_the_environment_without_its_password(
    environ, url, proxy, monkeypatch
):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    assert proxy_of(url) == proxy


def test_behind_a_proxy_only_the_proxys_name_has_to_resolve(names, monkeypatch):
    monkeypatch.setenv("https_proxy", "http://p.example:3128")
    names["p.example"] = ["192.0.2.1"]

    [way] = map(resolved, ways_of(Matomo("https://m.example/", 1), NOW))

    assert (way.proxy, way.addresses, way.failure) == ("p.example:3128", 1, "")


def test_a_host_without_an_address_is_not_fine(names):
    systems = (Plausible("x.example", url="https://nowhere.example"),)

    report = report_of(Installation(systems, None, ()), Inquiry(send=True), NOW)

    assert not report.fine
    assert "  not found  nowhere.example:443  nowhere.example: Name" in as_text(report)


def test_ways_are_said_in_words():
    ways = (
        Way("a.example:443", addresses=1, ms=12.3),
        Way("b.example:443", "p.example:3128", addresses=2, ms=1),
        Way("c.example:443", "p.example:3128"),
        Way("d.example:443"),
    )

    text = as_text(Report((), (SystemFinding("one", (), ways=ways),)))

    assert text.splitlines()[1:4] == [
        "  found      a.example:443    1 address in 12 ms",
        "  found      b.example:443    2 addresses in 1 ms, through the proxy p.example:3128",
        "             c.example:443    through the proxy p.example:3128",
    ]
    assert "d.example" not in text


@pytest.fixture
def ini(tmp_path):
    def write(text):
        (tmp_path / "uwsgi.ini").write_text(text)
        return tmp_path / "uwsgi.ini"

    return write


def test_options_are_read_as_uwsgi_reads_them(ini):
    path = ini(
        "[other]\nthreads = 9\n[uwsgi]\n# no\n; no\nmaster\n"
        "enable_threads = true\nmount = /a=a.py\nmount = /b=b.py\n"
    )

    assert uwsgi_options_from(path) == {
        "master": [""],
        "enable-threads": ["true"],
        "mount": ["/a=a.py", "/b=b.py"],
    }


@pytest.mark.parametrize("text", ["", "[other]\na = b\n", "[uwsgi]\n"])
def test_a_file_without_options_of_uwsgi_is_refused(text, ini):
    with pytest.raises(ValueError, match="uwsgi"):
        uwsgi_options_from(ini(text))


@pytest.mark.parametrize(
    ("options", "warned_of"),
    [
        ({}, {"enable-threads"}),
        ({"enable-threads": ["false"]}, {"enable-threads"}),
        ({"threads": ["0"]}, {"enable-threads"}),
        ({"enable-threads": ["true"]}, set()),
        ({"enable-threads": [""]}, set()),
        ({"threads": ["2"], "lazy-apps": ["true"]}, set()),
        ({"threads": ["2"], "die-on-term": ["1"]}, {"die-on-term"}),
        ({"threads": ["2"], "skip-atexit": ["true"]}, {"skip-atexit"}),
        ({"threads": ["2"], "harakiri": ["30"]}, {"harakiri"}),
        ({"threads": ["2"], "mount": ["/a=a", "/b=b"]}, {"single-interpreter"}),
        (
            {"threads": ["2"], "mount": ["/a", "/b"], "single-interpreter": ["true"]},
            set(),
        ),
    ],
    ids=str,
)
def test_options_that_may_lose_hits_are_warned_of(options, warned_of):
    facts = list(facts_of_uwsgi(options))

    assert {fact.option for fact in facts if fact.warning} == warned_of


def test_what_is_fine_is_said_too():
    facts = list(facts_of_uwsgi({"enable-threads": ["true"]}))

    assert facts == [
        Fact("enable-threads", "on: hits are sent at any time"),
        Fact("lazy-apps", "the master loads the application; either is fine"),
    ]
