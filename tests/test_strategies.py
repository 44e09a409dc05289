"""Strategies for hits: all kinds, and what is hard to say of them."""

from typing import get_args

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from server_tracking.hits import Hit
from server_tracking.testing.strategies import hits, json_values

# The same examples in every run, and none made smaller.
PLAIN = settings(
    max_examples=60,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)


def made_by(strategy):
    made = []

    @PLAIN
    @given(st.lists(strategy, max_size=4))
    def gather(some):
        made.extend(some)

    gather()
    return made


def test_hits_of_all_kinds_are_made_with_and_without_what_a_system_reads():
    made = made_by(hits("mine", params=["plan"], extra=["id"]))

    assert {type(hit) for hit in made} == set(get_args(Hit))
    assert {hit.context.consent.analytics for hit in made} == {None, True, False}
    assert {bool(hit.context.address) for hit in made} == {True, False}
    assert {bool(hit.extra.get("mine")) for hit in made} == {True, False}
    assert {"plan" in hit.params for hit in made} == {True, False}
    assert any("somebody_else" in hit.extra for hit in made)
    assert any("\ud800" in (hit.context.page.url or "") for hit in made)


def test_known_keys_are_among_those_of_json_values():
    objects = [value for value in made_by(json_values("id")) if isinstance(value, dict)]

    assert {"id" in value for value in objects} == {True, False}
