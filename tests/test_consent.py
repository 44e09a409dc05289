"""The consent table, row by row."""

import pytest

from server_tracking.consent import ConsentState, decision

MODES = ("session", "opt-in", "opt-out")
TABLE = [
    # state, mode, hits allowed, permanent id allowed
    (ConsentState.UNKNOWN, "session", True, False),
    (ConsentState.UNKNOWN, "opt-in", False, False),
    (ConsentState.UNKNOWN, "opt-out", True, True),
    *((ConsentState.SIGNALLED, mode, False, False) for mode in MODES),
    *((ConsentState.GRANTED, mode, True, True) for mode in MODES),
    *((ConsentState.DENIED, mode, False, False) for mode in MODES),
]


@pytest.mark.parametrize(("state", "mode", "track", "keep"), TABLE)
def test_a_state_permits_what_the_table_says(state, mode, track, keep):
    said = {
        ConsentState.UNKNOWN: {},
        ConsentState.SIGNALLED: {"signal": True},
        ConsentState.GRANTED: {"status": ConsentState.GRANTED},
        ConsentState.DENIED: {"status": ConsentState.DENIED},
    }[state]

    decided = decision(mode, **said)

    assert (decided.state, decided.track, decided.keep) == (state, track, keep)
    assert not decided.changed


@pytest.mark.parametrize(
    ("action", "state"),
    [
        ("accept", ConsentState.GRANTED),
        ("refuse", ConsentState.DENIED),
        ("withdraw", ConsentState.DENIED),
    ],
)
@pytest.mark.parametrize("before", [None, ConsentState.GRANTED, ConsentState.DENIED])
def test_what_the_visitor_does_now_wins(action, state, before):
    decided = decision("session", action=action, status=before, signal=True)

    assert (decided.state, decided.changed) == (state, True)


@pytest.mark.parametrize("odd", ["", "ACCEPT", "accept ", "1", "yes", "<script>"])
def test_other_actions_are_ignored(odd):
    assert decision("session", action=odd).state is ConsentState.UNKNOWN


def test_a_grant_beats_the_browsers_signal():
    decided = decision("session", status=ConsentState.GRANTED, signal=True)

    assert decided.state is ConsentState.GRANTED
