"""A test run reaches nothing but its own machine."""

import logging
import os
import subprocess
import sys
import textwrap

import pytest

from server_tracking.calls import Call
from server_tracking.senders import quiet
from server_tracking.senders.client import Client
from server_tracking.senders.inline import InlineSender
from server_tracking.senders.quiet import KeptBackError, kept_back
from server_tracking.senders.thread import ThreadSender
from server_tracking.senders.transports import transport_from

FAR = "http://stats.invalid/collect?secret=s3cr3t"
ASK = (
    "from server_tracking.senders.quiet import runner_of_tests; print('runs', "
    "runner_of_tests())"
)


def run(*arguments, cwd=None):
    environ = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        env=environ,
        cwd=cwd,
        check=False,
    )
    return done.stdout


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8001/collect",
        "http://127.8.9.10/",
        "https://[::1]:8001/",
        "http://localhost/",
        "http://shop.localhost:8000/",
    ],
)
def test_this_machine_may_be_reached(url):
    assert kept_back(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://www.google-analytics.com/mp/collect",
        "http://matomo/matomo.php",
        "http://10.0.0.1/",
        "http://0.0.0.0/",
        "http://127.0.0.1.example.com/",
        "http://localhost@example.com/",
    ],
)
def test_everything_else_is_kept_back(url):
    assert isinstance(kept_back(url), KeptBackError)


@pytest.mark.parametrize("value", ["1", "true", "YES", "on"])
def test_the_variable_allows_it(value, monkeypatch):
    monkeypatch.setenv("SERVER_TRACKING_ALLOW_SEND", value)

    assert kept_back(FAR) is None


@pytest.mark.parametrize("value", ["", "0", "no"])
def test_other_values_of_the_variable_do_not(value, monkeypatch):
    monkeypatch.setenv("SERVER_TRACKING_ALLOW_SEND", value)

    assert kept_back(FAR) is not None


def test_the_client_makes_no_call():
    error = Client(1.0, connections=1).answer(Call("GET", FAR, {}, b"", ()))

    assert isinstance(error, KeptBackError)
    assert not error.processed
    assert "s3cr3t" not in str(error)


def test_no_transport_makes_the_call(transport_name):
    transport = transport_from(transport_name, 5.0, 1)
    transport.start(Call("GET", FAR, {}, b"", ()), "token")

    [(token, error)] = transport.wait(5.0)
    transport.close()

    assert token == "token"
    assert isinstance(error, KeptBackError)


@pytest.mark.parametrize("kind", [InlineSender, ThreadSender])
def test_a_sender_gives_such_a_hit_up_at_once(kind, make_system, make_event, adds_up):
    sender = kind()
    sender.bind([make_system(FAR)])
    sender.send(make_event())

    assert sender.flush(5.0)
    sender.close()

    counts = sender.stats()["local"]
    assert counts.rejected == {"test_run": 1}
    adds_up(counts)


def test_the_log_says_once_how_to_allow_it(caplog):
    quiet._tell.cache_clear()
    with caplog.at_level(logging.WARNING, "server_tracking"):
        kept_back(FAR)
        kept_back(FAR)

    [record] = caplog.records
    assert "SERVER_TRACKING_ALLOW_SEND=1" in record.getMessage()


def test_a_program_is_no_test():
    assert run("-c", ASK) == "runs None\n"


def test_a_program_that_knows_unittest_is_no_test():
    assert run("-c", f"import unittest, unittest.mock; {ASK}") == "runs None\n"


def test_python_m_unittest_is_known(tmp_path):
    (tmp_path / "test_it.py").write_text(ASK)

    assert "runs unittest" in run("-m", "unittest", "test_it", cwd=tmp_path)


def test_a_script_that_calls_unittest_main_is_known(tmp_path):
    (tmp_path / "script.py").write_text(
        textwrap.dedent(f"""
        import unittest

        class Test(unittest.TestCase):
            def test_it(self):
                {ASK}

        unittest.main()
        """)
    )

    assert "runs unittest" in run("script.py", cwd=tmp_path)


def test_manage_py_test_is_known(tmp_path):
    (tmp_path / "manage.py").write_text(ASK)

    assert run("manage.py", "test", cwd=tmp_path) == "runs manage.py test\n"
    assert run("manage.py", "runserver", cwd=tmp_path) == "runs None\n"
