"""The consent table, row by row; `docs/consent.md` shows the same one."""

import re
from pathlib import Path

import pytest

from server_tracking.consent import (
    CONSENT_MODES,
    PERMITS,
    ConsentState,
    accepted_value,
    consent_from,
    decision,
)
from server_tracking.hits import Consent

UNKNOWN, SIGNALLED, GRANTED, DENIED = (
    ConsentState.UNKNOWN,
    ConsentState.SIGNALLED,
    ConsentState.GRANTED,
    ConsentState.DENIED,
)
NOTHING = ("none", "nothing")
ALL = ("all", "kept")
TABLE = [
    # state, mode, who is told, what is stored
    (UNKNOWN, "session", "all", "session"),
    (UNKNOWN, "opt-in", *NOTHING),
    (UNKNOWN, "cookieless", "own", "nothing"),
    (UNKNOWN, "opt-out", *ALL),
    (UNKNOWN, "off", *ALL),
    *((SIGNALLED, mode, *NOTHING) for mode in CONSENT_MODES if mode != "off"),
    (SIGNALLED, "off", *ALL),
    *((GRANTED, mode, *ALL) for mode in CONSENT_MODES),
    *((DENIED, mode, *NOTHING) for mode in CONSENT_MODES),
]
SAID = {
    UNKNOWN: {},
    SIGNALLED: {"signal": True},
    GRANTED: {"status": GRANTED},
    DENIED: {"status": DENIED},
}


def test_the_table_has_every_state_in_every_mode():
    assert {(state, mode) for state, mode, *_ in TABLE} == {
        (state, mode) for state in ConsentState for mode in CONSENT_MODES
    }


@pytest.mark.parametrize(("state", "mode", "told", "stored"), TABLE)
def test_a_state_permits_what_the_table_says(state, mode, told, stored):
    decided = decision(mode, **SAID[state])

    assert (decided.state, decided.track) == (state, told != "none")
    assert (decided.stored, decided.keep) == (stored != "nothing", stored == "kept")
    assert decided.reuse is (told == "all")
    assert (decided.changed, decided.spent) == (False, False)


@pytest.mark.parametrize(("state", "mode", "told", "stored"), TABLE)
def test_consent_is_written_down_as_the_table_says(state, mode, told, stored):
    analytics = True if state is GRANTED else None
    expected = Consent(False if told == "none" else analytics, reuse=told == "all")

    assert decision(mode, **SAID[state]).consent == expected


WORDS = {
    ("none", "nothing"): "nothing; nothing",
    ("own", "nothing"): "no system that reuses data; nothing",
    ("all", "session"): "all; id for the session",
    ("all", "kept"): "all; id kept",
}


def test_the_page_shows_the_same_table():
    page = Path(__file__).parents[1] / "docs" / "consent.md"
    rows = [
        [cell.strip(" `") for cell in line.strip("|\n ").split("|")]
        for line in page.read_text("utf-8").splitlines()
        if re.match(r"\| (state|`(unknown|signalled|granted|denied)`) ", line)
    ]
    [_, *modes], *states = rows[:5]

    shown = {
        (state, mode): cell
        for state, *cells in states
        for mode, cell in zip(modes, cells, strict=True)
    }

    assert shown == {
        (state, mode): WORDS[permit]
        for state, permits in PERMITS.items()
        for mode, permit in permits.items()
    }


ACTIONS = [
    # before, action, after, status cookie written
    (None, "accept", GRANTED, True),
    (None, "refuse", DENIED, True),
    (None, "withdraw", DENIED, True),
    (GRANTED, "accept", GRANTED, False),
    (GRANTED, "refuse", DENIED, True),
    (GRANTED, "withdraw", DENIED, True),
    (DENIED, "accept", GRANTED, True),
    (DENIED, "refuse", DENIED, False),
    (DENIED, "withdraw", DENIED, False),
]


@pytest.mark.parametrize("mode", CONSENT_MODES)
@pytest.mark.parametrize(("before", "action", "after", "changed"), ACTIONS)
def test_what_the_visitor_does_now_wins(mode, before, action, after, changed):
    decided = decision(mode, action=action, status=before, signal=True)

    assert (decided.state, decided.changed, decided.spent) == (after, changed, True)


@pytest.mark.parametrize("odd", ["ACCEPT", "accept ", "1", "yes", "<script>"])
def test_of_another_action_nothing_follows_but_that_it_goes(odd):
    decided = decision("session", action=odd)

    assert (decided.state, decided.changed, decided.spent) == (UNKNOWN, False, True)


def test_an_empty_action_is_none():
    assert decision("session", action="") == decision("session")


def test_a_grant_beats_the_browsers_signal():
    decided = decision("session", status=GRANTED, signal=True)

    assert decided.state is GRANTED


@pytest.mark.parametrize("mode", CONSENT_MODES)
def test_a_consent_platform_speaks_first(mode):
    said = {"action": "accept", "status": GRANTED, "signal": True}

    refused = decision(mode, resolved=Consent(analytics=False), **said)
    granted = decision(mode, resolved=Consent(True, True, False), action="refuse")

    assert (refused.state, refused.track) == (DENIED, False)
    assert (granted.state, granted.track, granted.keep) == (GRANTED, True, True)
    assert granted.consent == Consent(True, True, False)


def test_a_platform_that_knows_nothing_leaves_it_to_the_cookies():
    assert decision("opt-in", resolved=Consent(), status=GRANTED).state is GRANTED


def test_a_refusal_by_a_platform_grants_no_advertising():
    decided = decision("session", resolved=Consent(False, True, True))

    assert decided.consent == Consent(analytics=False, reuse=False)


@pytest.mark.parametrize(
    ("answer", "consent"),
    [
        (None, None),
        (True, Consent(analytics=True)),
        (False, Consent(analytics=False)),
        (Consent(True, True, True), Consent(True, True, True)),
    ],
)
def test_a_resolver_answers_in_one_of_four_ways(answer, consent):
    assert consent_from(answer) == consent


@pytest.mark.parametrize("odd", ["granted", 1, {}, object()])
def test_another_answer_is_an_error(odd):
    with pytest.raises(TypeError, match="True, False, None or a Consent"):
        consent_from(odd)


def test_a_grant_counts_for_its_version():
    assert accepted_value("1", 1) == "1"
    assert accepted_value("1", 2) == "1.2"
