"""Replay: what a log becomes, and that it goes on where it was killed."""

import gzip
import json
import re
import threading
import time
from collections import Counter

import pytest

from server_tracking.errors import ConfigurationError
from server_tracking.replaying import reading, replay
from server_tracking.replaying.journal import ForeignJournalError, Journal
from server_tracking.replaying.lines import Served
from server_tracking.replaying.replay import Order, replayed
from server_tracking.replaying.retelling import Retelling
from server_tracking.settings import Settings
from server_tracking.testing.collector import Collector

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
THEN = 1790000000.0


def line(n, ago=60.0, path="/p", agent=FIREFOX, status=200):
    when = time.strftime("%d/%b/%Y:%H:%M:%S", time.gmtime(time.time() - ago))
    return (
        f'198.51.100.{n % 250} - - [{when} +0000] "GET {path}{n} HTTP/1.1" '
        f'{status} 9 "-" "{agent}"\n'
    )


@pytest.fixture
def collector():
    collector = Collector()
    collector.script(collector.status(202, b"ok"))
    yield collector
    collector.close()


@pytest.fixture
def told_after(collector):
    """Make an event that is set with the answer after so many calls."""

    def told_after(number):
        told = threading.Event()
        answer = collector.status(202, b"ok")

        def stop(sock, request):
            told.set()
            return answer(sock, request)

        collector.script(*[answer] * number, stop, answer)
        return told

    return told_after


@pytest.fixture
def environ(collector):
    return {
        "SERVER_TRACKING_SYSTEMS": "plausible+http://127.0.0.1:"
        f"{collector.port}/?domain=shop.example",
        "SERVER_TRACKING_SECRET_KEY": "k" * 32,
    }


@pytest.fixture
def run(tmp_path, environ):
    def run(told=None, **options):
        order = Order(
            logs=(tmp_path / "access.log",),
            host="shop.example",
            **{"journal": tmp_path / "journal", **options},
        )
        return replayed(order, environ, lambda _: None, told or threading.Event())

    return run


@pytest.fixture
def log(tmp_path):
    def write(*lines):
        (tmp_path / "access.log").write_text("".join(lines))

    return write


def pages_of(collector):
    """The pages that the collector was told of, by how often."""
    return Counter(
        request.json["url"].rpartition("/")[2] for request in collector.requests
    )


@pytest.fixture
def retelling():
    return Retelling(Settings(secret_key="k" * 32), "shop.example", "https")


def served(target="/fern", **fields):
    told = {"address": "198.51.100.7", "user_agent": FIREFOX, "status": 200, **fields}
    return Served(told.pop("time", THEN), told.pop("method", "GET"), target, **told)


def test_a_page_view_has_the_time_and_the_page_of_its_line(retelling):
    hit = retelling.hit(served("/fern?utm_source=mail&token=s3cr3t"), 1)

    assert hit.time == THEN
    assert hit.context.page.url == "https://shop.example/fern?utm_source=mail"
    assert hit.context.campaign.source == "mail"
    assert hit.context.address == "198.51.100.0"


def test_the_host_of_the_line_wins(retelling):
    hit = retelling.hit(served(host="www.example.org"), 1)

    assert hit.context.page.host == "www.example.org"


def test_a_visit_goes_on_and_ends_as_on_the_live_site(retelling):
    times = [THEN, THEN + 60, THEN + 3 * 3600]

    sessions = [
        retelling.hit(served(time=t), n).context.session for n, t in enumerate(times)
    ]

    assert [session.number for session in sessions] == [1, 1, 2]
    assert sessions[0].id == sessions[1].id == int(THEN)


def test_visitors_differ_by_address_user_agent_and_day(retelling):
    lines = [
        served(),
        served(address="198.51.100.8"),
        served(user_agent=FIREFOX + "x"),
        served(time=THEN + 86400),
    ]

    hits = [retelling.hit(one, n) for n, one in enumerate(lines)]

    assert len({hit.context.visitor.client_id for hit in hits}) == len(lines)


def test_a_second_reading_gives_the_same_hits(retelling):
    other = Retelling(Settings(secret_key="k" * 32), "shop.example", "https")

    assert retelling.hit(served(), 1) == other.hit(served(), 1)


@pytest.mark.parametrize(
    ("line_", "reason"),
    [
        (served(method="POST"), "method"),
        (served("/static/a.css"), "excluded"),
        (served("/logo.png"), "not_html"),
        (served(content_type="application/json"), "not_html"),
        (served(status=404), "status"),
        (served(user_agent="Googlebot/2.1"), "bot"),
        (served(user_agent=""), "bot"),
    ],
)
def test_the_filters_of_the_live_site_hold(line_, reason, retelling):
    assert retelling.hit(line_, 1) is None
    assert retelling.refused == {reason: 1}


def test_a_log_is_told_and_counted(run, log, collector):
    log(*(line(n) for n in range(5)), "nonsense\n", line(9, status=404))

    report = run()

    assert report.fine
    assert (report.lines, report.page_views) == (7, 5)
    assert report.refused == {"not readable": 1, "status": 1}
    assert report.outcomes == {"delivered": 5}
    assert pages_of(collector) == {f"p{n}": 1 for n in range(5)}


def test_a_packed_log_is_read_alike(run, tmp_path):
    (tmp_path / "access.log").write_bytes(gzip.compress(line(1).encode()))

    assert run().outcomes == {"delivered": 1}


def test_a_dry_run_sends_and_keeps_nothing(run, log, collector, tmp_path):
    log(line(1))

    report = run(dry_run=True, journal=None)

    assert report.outcomes == {"would_send": 1}
    assert collector.requests == []
    assert not (tmp_path / "journal").exists()


def test_what_is_too_old_for_the_system_is_skipped_or_clamped(run, log, tmp_path):
    log(line(1, ago=30 * 86400))

    assert run().outcomes == {"expired": 1}
    assert run(clamp=True, journal=tmp_path / "other").outcomes == {"delivered": 1}


def test_what_is_done_is_not_told_again(run, log, collector):
    log(*(line(n) for n in range(5)))
    run()
    calls = len(collector.requests)

    report = run()

    assert len(collector.requests) == calls
    assert report.outcomes == {"delivered": 5}


def test_a_journal_of_other_options_is_refused(run, log):
    log(line(1))
    run()

    with pytest.raises(ForeignJournalError):
        run(clamp=True)


def test_told_to_stop_it_goes_on_the_next_time(
    run, log, collector, told_after, monkeypatch
):
    monkeypatch.setattr(replay, "CHUNK", 100)
    log(*(line(n) for n in range(1000)))
    told = told_after(150)

    first = run(told)
    second = run()

    assert not first.complete
    assert second.fine
    assert second.outcomes == {"delivered": 1000}
    assert set(pages_of(collector).values()) == {1}
    assert len(pages_of(collector)) == 1000


def test_a_call_that_was_cut_off_by_a_kill_is_unknown_and_not_doubled(
    run, log, collector, tmp_path
):
    log(line(1))
    with_journal = run()
    name = json.loads((tmp_path / "journal").read_bytes().splitlines()[0])["replay"]
    assert with_journal.fine
    (tmp_path / "journal").unlink()
    with Journal(tmp_path / "journal", name) as journal:  # as a kill leaves it
        journal.begin(time.time(), 1)
        journal.start("0.0")
    calls = len(collector.requests)

    report = run()

    assert report.outcomes == {"unknown": 1}
    assert not report.fine
    assert len(collector.requests) == calls


def test_a_call_that_was_answered_before_a_kill_counts(run, log, collector, tmp_path):
    log(line(1))
    run()
    name = json.loads((tmp_path / "journal").read_bytes().splitlines()[0])["replay"]
    (tmp_path / "journal").unlink()
    with Journal(tmp_path / "journal", name) as journal:
        journal.begin(time.time(), 1)
        journal.start("0.0")
        journal.end("0.0", "delivered", 1)

    assert run().outcomes == {"delivered": 1}
    assert len(collector.requests) == 1


def test_a_busy_system_is_asked_again(run, log, collector):
    log(line(1))
    collector.script(collector.status(503), collector.status(202, b"ok"))

    assert run().outcomes == {"delivered": 1}
    assert len(collector.requests) == 2


def test_wrong_credentials_stop_it_and_lose_nothing(run, log, collector):
    log(line(1))
    collector.script(collector.status(401), collector.status(202, b"ok"))

    first = run()

    assert not first.complete
    assert "plausible" in first.stopped
    assert run().outcomes == {"delivered": 1}


@pytest.mark.parametrize(
    ("variable", "option"),
    [
        ("SERVER_TRACKING_SYSTEMS", "systems"),
        ("SERVER_TRACKING_SECRET_KEY", "secret_key"),
    ],
)
def test_what_it_needs_is_named(variable, option, run, log, environ):
    log(line(1))
    del environ[variable]

    with pytest.raises(ConfigurationError) as raised:
        run()

    assert raised.value.option == option


def test_an_endless_line_does_not_fill_the_memory(tmp_path):
    path = tmp_path / "access.log"
    path.write_bytes(b"x" * (5 * reading.LONGEST_LINE) + b"\nshort\n")

    lines = reading.lines_of([path], lambda _: None)

    assert list(lines) == ["?", "short"]


def test_lines_that_a_log_has_gained_are_told_and_no_others(run, log, collector):
    lines = [line(n) for n in range(5)]
    log(*lines[:3])
    run()
    log(*lines)

    assert run().outcomes == {"delivered": 5}
    assert pages_of(collector) == {f"p{n}": 1 for n in range(5)}


def test_a_chunk_under_way_is_the_same_after_the_log_has_grown(
    run, log, collector, tmp_path
):
    first, second = line(1), line(2)
    log(first)
    run()
    name = json.loads((tmp_path / "journal").read_bytes().splitlines()[0])["replay"]
    (tmp_path / "journal").unlink()
    with Journal(tmp_path / "journal", name) as journal:  # as a kill leaves it
        journal.begin(time.time(), 1)
        journal.start("0.0")
        journal.end("0.0", "delivered", 1)
    log(first, second)

    assert run().outcomes == {"delivered": 2}
    assert pages_of(collector) == {"p1": 1, "p2": 1}


def test_a_journal_of_another_version_is_refused(run, log, tmp_path):
    log(line(1))
    run()
    (head,) = (tmp_path / "journal").read_bytes().splitlines()
    told = json.loads(head) | {"chunks": 1}
    (tmp_path / "journal").write_bytes(json.dumps(told).encode() + b"\n")

    with pytest.raises(ForeignJournalError):
        run()


def test_several_processes_make_the_same_calls_as_one(run, log, collector, tmp_path):
    log(*(line(n, path=f"/{n % 7}/") for n in range(60)), line(9, status=404))

    alone = run(jobs=1)
    pages = pages_of(collector)
    together = run(jobs=2, journal=tmp_path / "other")

    assert together == alone
    assert together.refused == {"status": 1}
    assert pages_of(collector) == {page: 2 * times for page, times in pages.items()}


def test_what_several_processes_have_begun_one_can_end(
    run, log, collector, told_after, monkeypatch
):
    monkeypatch.setattr(replay, "CHUNK", 20)
    log(*(line(n) for n in range(100)))
    told = told_after(30)

    first = run(told, jobs=2)
    second = run(jobs=1)

    assert not first.complete
    assert second.fine
    assert second.outcomes == {"delivered": 100}
    assert pages_of(collector) == {f"p{n}": 1 for n in range(100)}


def test_a_visit_goes_on_across_what_was_told_before(
    run, log, collector, monkeypatch, environ
):
    environ["SERVER_TRACKING_SYSTEMS"] = (
        f"matomo+http://t@127.0.0.1:{collector.port}/?site_id=1"
    )
    collector.script(collector.status(200, b'{"status":"success"}'))
    monkeypatch.setattr(replay, "CHUNK", 1)
    first, second = line(1, ago=60.0), line(1, ago=50.0)
    log(first)
    run()
    log(first, second)
    run()

    visitors = {
        cid
        for request in collector.requests
        for cid in re.findall(rb'"cid":"([0-9a-f]{16})', request.body)
    }
    assert len(collector.requests) == 2
    assert len(visitors) == 1


def test_a_path_in_letters_of_any_script_is_told_as_it_is(retelling):
    hit = retelling.hit(served("/größe?q=a"), 1)

    assert hit.context.page.path == "/gr%C3%B6%C3%9Fe"  # RFC 3987, section 3.1
