"""Transports, with real sockets: what arrives, how long it takes, what is known."""

import importlib.util
import logging
import sys
import time

import pytest

from server_tracking.calls import Call
from server_tracking.errors import ConfigurationError, TransportError
from server_tracking.senders.transports import (
    Answer,
    check_transport,
    sending,
    threads_for,
    transport_from,
)

PATIENCE = 10.0
BODY = b'{"a": 1}'


@pytest.fixture
def make_transport(transport_name):
    made = []

    def make(timeout=PATIENCE):
        made.append(transport_from(transport_name, timeout, 1))
        return made[-1]

    yield make
    for transport in made:
        transport.close()


@pytest.fixture
def carry(make_transport):
    """Make one call, and return its answer or error."""
    made = {}

    def carry(url, timeout=PATIENCE, method="POST", headers=None, body=BODY):
        transport = made.get(timeout) or made.setdefault(
            timeout, make_transport(timeout)
        )
        transport.start(Call(method, url, headers or {}, body, ()), "token")
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if landings := transport.wait(PATIENCE):
                [(token, result)] = landings
                assert token == "token"
                return result
        raise AssertionError("the call never landed")

    return carry


def test_a_call_arrives_as_it_was_made(carry, collector):
    collector.script(collector.status(202, b"fine", ["X-Answer: Yes", "x-answer: no"]))

    answer = carry(
        collector.url,
        headers={
            "Content-Type": "application/json",
            "X-Text": "gr\xfc\xdfe",
            "X-No": "",
        },
    )

    assert answer == Answer(202, answer.headers, b"fine")
    assert answer.headers["x-answer"] == "Yes, no"
    [seen] = collector.requests
    assert (seen.method, seen.target) == ("POST", "/collect?secret=s3cr3t")
    assert seen.body == BODY
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["content-length"] == "8"
    assert seen.headers["x-text"] == "gr\xfc\xdfe"
    assert seen.headers["x-no"] == ""
    assert seen.headers["user-agent"] == "server-tracking"
    assert "expect" not in seen.headers
    assert "cookie" not in seen.headers


def test_nothing_is_said_of_a_body_that_has_no_type(carry, collector):
    carry(collector.url)

    assert "content-type" not in collector.requests[0].headers


def test_the_visitors_user_agent_replaces_ours(carry, collector):
    carry(collector.url, headers={"user-agent": "Firefox"})

    assert collector.requests[0].headers["user-agent"] == "Firefox"


def test_a_call_without_a_body_is_made_with_its_method(carry, collector):
    carry(collector.url, method="GET", body=b"")
    carry(collector.url, method="POST", body=b"")
    carry(collector.url, method="PUT", body=b"x")

    assert [seen.method for seen in collector.requests] == ["GET", "POST", "PUT"]
    assert [seen.body for seen in collector.requests] == [b"", b"", b"x"]


def test_connections_are_kept(carry, collector):
    for _ in range(3):
        assert carry(collector.url).status == 204

    assert collector.connections == 1


def test_a_connection_that_the_other_side_has_closed_is_replaced(carry, collector):
    collector.script(collector.status(204, keep=False), collector.status(204))

    assert carry(collector.url).status == 204
    assert carry(collector.url).status == 204

    assert len(collector.requests) == 2


def test_a_kept_connection_that_breaks_at_once_is_tried_anew(carry, collector):
    collector.script(
        collector.status(204), collector.hang_up, collector.status(204, b"")
    )

    assert carry(collector.url).status == 204
    assert carry(collector.url).status == 204

    assert [seen.connection for seen in collector.requests] == [1, 1, 2]


@pytest.mark.parametrize("status", [200, 301, 302, 307, 400, 404, 429, 500, 503, 599])
def test_any_status_is_an_answer_and_no_redirect_is_followed(carry, collector, status):
    collector.script(collector.status(status, b"x", [f"Location: {collector.url}"]))

    assert carry(collector.url)[0] == status
    assert len(collector.requests) == 1


def test_cookies_are_not_kept(carry, collector):
    collector.script(collector.status(200, b"", ["Set-Cookie: a=b"]))
    carry(collector.url)
    carry(collector.url)

    assert "cookie" not in collector.requests[1].headers


def test_credentials_of_the_machine_are_not_sent(
    carry, collector, tmp_path, monkeypatch
):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))

    carry(collector.url)

    assert "authorization" not in collector.requests[0].headers


def test_a_refused_connection_was_surely_not_processed(carry, dead_url):
    error = carry(dead_url)

    assert isinstance(error, TransportError)
    assert not error.processed
    assert str(error) == "unreachable"


def test_an_unknown_host_was_surely_not_processed(carry, monkeypatch):
    monkeypatch.setenv("SERVER_TRACKING_ALLOW_SEND", "1")
    error = carry("http://nowhere.invalid/?secret=s3cr3t")

    assert not error.processed
    assert "s3cr3t" not in repr(error)


def test_a_server_that_hangs_gets_until_the_deadline(carry, collector):
    collector.script(collector.hang)
    begun = time.monotonic()

    error = carry(collector.url, timeout=0.3)

    assert 0.25 < time.monotonic() - begun < 1.5
    assert str(error) == "timeout"
    assert error.processed


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_connection_that_breaks_after_the_request_may_have_been_processed(
    carry, collector, method
):
    for step in (collector.reset, collector.hang_up):
        collector.script(step)

        error = carry(
            collector.url, method=method, body=BODY if method == "POST" else b""
        )

        assert error.processed
        assert str(error) == "no_answer"


def test_a_connection_that_breaks_before_the_body_is_read_was_not_processed(
    carry, collector
):
    collector.read_bodies = False
    collector.script(collector.reset)

    error = carry(collector.url, body=b"x" * 20_000_000)

    assert not error.processed


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX-A: ", b"HTTP/1.1 20"])
def test_a_head_that_drips_ends_at_the_deadline(carry, collector, head):
    collector.script(collector.drip(head))
    begun = time.monotonic()

    error = carry(collector.url, timeout=0.4)

    assert time.monotonic() - begun < 1.5
    assert error.processed


def test_a_body_that_drips_ends_at_the_deadline_and_is_an_answer(carry, collector):
    collector.script(collector.drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"))
    begun = time.monotonic()

    answer = carry(collector.url, timeout=0.4)

    assert time.monotonic() - begun < 1.5
    assert answer.status == 200


def test_a_body_that_breaks_off_is_an_answer(carry, collector):
    head = b"HTTP/1.1 202 OK\r\nContent-Length: 100\r\n\r\nabc"
    collector.script(collector.raw(head, keep=False))

    assert carry(collector.url).status == 202


def test_no_more_than_64_kib_of_an_answer_are_read(carry, collector):
    collector.script(collector.status(200, b"x" * 5_000_000), collector.status(204))

    answer = carry(collector.url)

    assert (answer.status, len(answer.body)) == (200, 64 * 1024)
    assert carry(collector.url).status == 204  # the rest was not taken for an answer


def test_a_compressed_answer_is_not_unpacked(carry, collector):
    collector.script(collector.status(200, b"\x1f\x8b", ["Content-Encoding: gzip"]))

    assert carry(collector.url).body == b"\x1f\x8b"


def test_an_answer_in_chunks_is_read(carry, collector):
    collector.script(
        collector.raw(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        )
    )

    for _ in range(2):
        answer = carry(collector.url)
        assert (answer.status, answer.body) == (200, b"abc")
    assert collector.connections == 1


def test_nonsense_is_no_answer(carry, collector):
    collector.script(collector.raw(b"\x00\xff nonsense\r\n\r\n", keep=False))

    assert carry(collector.url).processed


def test_calls_are_carried_side_by_side(make_transport, collector):
    def step(sock, request):
        slow = request.body == b"slow"
        return (collector.hang if slow else collector.status(204))(sock, request)

    collector.script(step)
    transport = make_transport()
    transport.start(Call("POST", collector.url, {}, b"slow", ()), 1)
    transport.start(Call("POST", collector.url, {}, b"quick", ()), 2)

    [(token, answer)] = transport.wait(PATIENCE)

    assert (token, answer.status) == (2, 204)


def test_a_wait_ends_in_time_and_when_woken(make_transport):
    transport = make_transport()

    assert transport.wait(0.01) == []
    transport.wake()
    transport.wake()
    begun = time.monotonic()
    assert transport.wait(PATIENCE) == []
    assert time.monotonic() - begun < PATIENCE / 2


def test_waking_a_closed_transport_does_nothing(make_transport):
    transport = make_transport()
    transport.close()

    transport.wake()


def test_a_proxy_of_the_environment_is_used(carry, collector, monkeypatch):
    monkeypatch.setenv("SERVER_TRACKING_ALLOW_SEND", "1")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{collector.port}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    assert carry("http://stats.example/collect").status == 204
    assert collector.requests[0].target == "http://stats.example/collect"


def test_no_url_gets_into_any_log(
    carry, collector, dead_url, caplog, capfd, monkeypatch
):
    monkeypatch.setattr("http.client.HTTPConnection.debuglevel", 1)
    with caplog.at_level(logging.DEBUG):
        carry(collector.url)
        carry(dead_url)

    captured = capfd.readouterr()
    assert "s3cr3t" not in caplog.text + captured.out + captured.err


def test_the_sites_own_calls_are_logged_as_ever(collector, caplog):
    requests = pytest.importorskip("requests")
    importlib.import_module("server_tracking.senders.client")
    with caplog.at_level(logging.DEBUG), requests.Session() as session:
        session.post(collector.url, timeout=PATIENCE)

    assert "s3cr3t" in caplog.text
    assert not sending.get()


def test_a_certificate_that_nobody_signed_is_named(carry, tls_url):
    error = carry(tls_url)

    assert str(error) == "untrusted_certificate"
    assert not error.processed


def test_a_bundle_of_the_environment_is_trusted(
    carry, tls_url, tls_certificate, monkeypatch
):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls_certificate))

    assert carry(tls_url).status == 204


def test_opentelemetry_does_not_see_our_calls():
    context = pytest.importorskip("opentelemetry.context")
    from server_tracking.senders.transports import untraced

    key = context._SUPPRESS_INSTRUMENTATION_KEY
    with untraced():
        assert context.get_value(key) is True
    assert context.get_value(key) is None


def test_opentelemetry_is_not_needed(monkeypatch):
    from server_tracking.senders.transports import untraced

    monkeypatch.delitem(sys.modules, "opentelemetry.context", raising=False)
    with untraced():
        assert "opentelemetry.context" not in sys.modules


@pytest.mark.parametrize(("systems", "threads"), [(0, 4), (1, 4), (5, 5), (20, 8)])
def test_each_system_has_a_thread_as_far_as_eight_go(systems, threads):
    assert threads_for(systems) == threads


def test_an_unknown_transport_is_refused():
    with pytest.raises(ConfigurationError, match="'auto', 'curl' and 'requests'"):
        check_transport("carrier pigeon")


def test_curl_is_refused_where_it_is_not_installed(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(ConfigurationError, match=r"server-tracking\[curl\]"):
        check_transport("curl")
    check_transport("auto")
