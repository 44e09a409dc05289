"""Calls and outcomes."""

import pytest

from server_tracking.calls import Call, Outcome, Verdict

STATUSES = [
    # status, verdict, split, misconfigured
    (200, Verdict.DELIVERED, False, False),
    (202, Verdict.DELIVERED, False, False),
    (204, Verdict.DELIVERED, False, False),
    (301, Verdict.RETRY, False, True),  # not followed: it would resend credentials
    (302, Verdict.RETRY, False, True),
    (400, Verdict.REJECTED, True, False),
    (401, Verdict.RETRY, False, True),
    (403, Verdict.RETRY, False, True),
    (404, Verdict.RETRY, False, True),
    (405, Verdict.RETRY, False, True),
    (408, Verdict.RETRY, False, False),
    (410, Verdict.REJECTED, False, False),
    (413, Verdict.REJECTED, True, False),
    (422, Verdict.REJECTED, True, False),
    (425, Verdict.RETRY, False, False),
    (429, Verdict.RETRY, False, False),
    (500, Verdict.UNKNOWN, False, False),
    (501, Verdict.REJECTED, False, False),
    (502, Verdict.UNKNOWN, False, False),
    (503, Verdict.RETRY, False, False),
    (504, Verdict.UNKNOWN, False, False),
    (599, Verdict.UNKNOWN, False, False),
]


@pytest.mark.parametrize(("status", "verdict", "split", "misconfigured"), STATUSES)
def test_a_status_means_what_the_table_says(status, verdict, split, misconfigured):
    outcome = Outcome.of_status(status, {})

    assert outcome.verdict is verdict
    assert (outcome.split, outcome.misconfigured) == (split, misconfigured)
    if verdict is not Verdict.DELIVERED:
        assert outcome.reason == f"http_{status}"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("9" * 30, None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("\u0661", None),
    ],
)
def test_retry_after_is_read_in_seconds(value, seconds):
    assert Outcome.of_status(429, {"retry-after": value}).after == seconds


@pytest.mark.parametrize(
    ("until", "date", "seconds"),
    [
        ("Wed, 21 Oct 2026 07:30:00 GMT", "Wed, 21 Oct 2026 07:28:00 GMT", 120.0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:30:00 GMT", 0.0),
        ("Wed, 21 Oct 2026 07:30:00 GMT", "", None),
        ("Wed, 99 Oct 2026 07:30:00 GMT", "Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("soon", "Wed, 21 Oct 2026 07:28:00 GMT", None),
    ],
)
def test_a_date_in_retry_after_counts_from_the_answers_own_date(until, date, seconds):
    outcome = Outcome.of_status(503, {"retry-after": until, "date": date})

    assert outcome.after == seconds


def test_a_call_shows_neither_query_nor_body_nor_headers():
    call = Call(
        "POST",
        "https://user:pass@collect.example/mp?api_secret=hidden",
        {"Authorization": "Bearer hidden"},
        b"hidden",
        (),
    )

    assert repr(call) == "<Call POST https://collect.example/mp, 6 bytes, 0 hits>"
