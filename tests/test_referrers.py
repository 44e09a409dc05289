"""Referrer spam: the list, and what it finds."""

import importlib.util
from importlib.resources import files
from pathlib import Path

import pytest

from server_tracking.referrers import is_spam, spam_hosts

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("referrer", "spam"),
    [
        ("https://semalt.com/", True),
        ("http://a.semalt.com/project?x=1", True),
        ("http://SEMALT.com:80", True),
        ("https://semalt.com.", True),
        ("https://me@semalt.com/", True),
        ("https://notsemalt.com/", False),
        ("https://semalt.com.example.org/", False),
        ("https://www.google.com/search?q=semalt.com", False),
        ("https://example.com/semalt.com", False),
        ("https://example.com/#@semalt.com", False),
        ("semalt.com", False),
        ("https://", False),
        ("", False),
        (None, False),
    ],
)
def test_a_host_on_the_list_counts_with_those_below_it(referrer, spam):
    assert is_spam(referrer) is spam


def test_the_list_says_where_it_is_from_and_of_which_day():
    kept = files("server_tracking") / "data" / "referrer_spam.txt"
    head = kept.read_text("utf-8")[:300]

    assert "https://github.com/matomo-org/referrer-spam-list" in head
    assert "# Date: 20" in head


def test_the_list_holds_lower_case_hosts_and_no_common_site():
    hosts = spam_hosts()

    assert len(hosts) > 2000
    assert all(host == host.lower() and host.isascii() for host in hosts)
    assert not hosts & {"google.com", "bing.com", "t.co", "facebook.com", "github.com"}
    assert not {host for host in hosts if "." not in host}


@pytest.fixture
def renewal(tmp_path, monkeypatch):
    path = ROOT / "tools/renew_referrer_spam.py"
    spec = importlib.util.spec_from_file_location("renew_referrer_spam", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "TARGET", tmp_path / "list.txt")
    return module


def test_the_renewal_folds_case_and_leaves_out_what_is_no_host(renewal):
    text = "QIWI.xyz\n a.example \n\n<html>\nb\nbücher.example\na.example\n"

    assert renewal.list_from(text) == ["a.example", "qiwi.xyz", "xn--bcher-kva.example"]


def test_the_renewal_keeps_the_old_list_if_the_new_one_is_none(renewal, tmp_path):
    (tmp_path / "given").write_text("<html>Not found</html>")

    assert renewal.main([str(tmp_path / "given")]) == 1
    assert not renewal.TARGET.exists()


def test_the_renewal_writes_the_list_with_its_day(renewal, tmp_path):
    hosts = "\n".join(f"spam{number}.example" for number in range(1200))
    (tmp_path / "given").write_text(hosts)

    assert renewal.main([str(tmp_path / "given")]) == 0
    lines = renewal.TARGET.read_text().splitlines()
    assert lines[2].startswith("# Date: 20")
    assert len(lines) == 1203
