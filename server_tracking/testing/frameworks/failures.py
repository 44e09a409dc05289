"""Behaviours of a tracked site: errors, visitors who leave, many at once."""

from __future__ import annotations

from contextlib import closing

from server_tracking.observation import current
from server_tracking.senders.inline import InlineSender
from server_tracking.senders.thread import ThreadSender
from server_tracking.systems.google_analytics_4 import GoogleAnalytics4
from server_tracking.testing.frameworks.clients import Answer
from server_tracking.testing.frameworks.site import FrameworkSite

__all__ = ["FailureBehaviours"]

NOBODY_LISTENS = "http://127.0.0.1:1"


class FailureBehaviours(FrameworkSite):
    """Whatever fails, the site answers as it would, and nothing is mixed up."""

    # Errors of the site

    def test_errors_are_no_hits_unless_the_settings_say_so(self) -> None:
        site = self.open()
        answers = [site.get(path) for path in ("/missing", "/error", "/handled")]

        assert [answer.status for answer in answers] == [404, 500, 500]
        assert self.hits == []

    def test_a_missing_page_is_a_hit_if_the_settings_say_so(self) -> None:
        site = self.open(pageview_na_exceptions=True)
        site.get("/missing")
        site.get("/error")

        [hit] = self.hits
        assert [exception.fatal for exception in self.exception_hits] == [False]
        assert hit.context.page.path == "/missing"

    def test_an_error_is_a_hit_if_the_settings_say_so(self) -> None:
        site = self.open(pageview_server_exceptions=True)
        site.get("/error")
        site.get("/missing")

        [hit] = self.hits
        assert [exception.fatal for exception in self.exception_hits] == [True]
        assert hit.context.page.path == "/error"

    def test_an_error_is_told_by_its_type_and_not_its_words(self) -> None:
        self.open(pageview_server_exceptions=True).get("/error")

        [exception] = self.exception_hits
        assert exception.description == "SiteError"

    def test_an_error_that_the_site_handles_is_answered_by_its_handler(self) -> None:
        answer = self.open(pageview_server_exceptions=True).get("/handled")

        assert answer.body == self.sorry
        assert answer.error is None
        assert [exception.fatal for exception in self.exception_hits] == [True]

    # Errors of ours

    def test_a_dead_system_changes_nothing(self) -> None:
        with closing(InlineSender(timeout=1)) as sender:
            system = GoogleAnalytics4("G-XXXX", "made-up", endpoint=NOBODY_LISTENS)
            tracker = self.make_tracker(system, sender=sender)
            self._answers_as_always(self.open(tracker).get("/"))
            [counts] = tracker.stats().systems.values()

        assert counts.submitted == 1
        assert counts.delivered == 0

    def test_a_full_queue_changes_nothing(self) -> None:
        with closing(ThreadSender(max_hits=1, timeout=1)) as sender:
            system = GoogleAnalytics4("G-XXXX", "made-up", endpoint=NOBODY_LISTENS)
            tracker = self.make_tracker(system, sender=sender)
            site = self.open(tracker)
            for _ in range(5):
                self._answers_as_always(site.get("/"))
            [counts] = tracker.stats().systems.values()
            sender.close(0)

        assert counts.submitted == 5
        assert counts.refused.get("queue_full", 0) > 0

    def test_an_error_of_ours_changes_nothing(self) -> None:
        tracker = self.make_tracker(sender=_FailingSender(), strict=False)
        self._answers_as_always(self.open(tracker).get("/"))

        assert tracker.stats().errors == 1

    def _answers_as_always(self, answer: Answer) -> None:
        assert (answer.status, answer.body) == (200, self.page)
        assert answer.error is None

    # Visitors who leave

    def test_a_visitor_who_leaves_has_seen_the_page(self) -> None:
        self.open().get("/streamed/fern", leave_after=2)

        assert self.page_titles == ["fern"]
        assert len(self.made) < 4

    def test_the_makers_of_pages_are_closed_once(self) -> None:
        site = self.open()
        site.get("/streamed/fern")
        assert self.ended == ["fern"]

        site.get("/streamed/rose", leave_after=1)
        assert self.ended == ["fern", "rose"]

    # Many at once

    def test_streams_side_by_side_do_not_mix(self) -> None:
        names = ["fern", "rose", "moss"]
        answers = self.open().in_turns(f"/streamed/{name}" for name in names)

        for name, answer in zip(names, answers, strict=True):
            assert f"<title>{name}</title>".encode() in answer.body
        self._each_visitor_saw_and_did(names)

    def test_many_requests_at_once_do_not_mix(self) -> None:
        names = [f"plant-{number}" for number in range(24)]
        answers = self.open().at_once(f"/streamed/{name}" for name in names)

        assert {answer.status for answer in answers} == {200}
        self._each_visitor_saw_and_did(names)

    def _each_visitor_saw_and_did(self, names: list[str]) -> None:
        views = {view.context.page.title: view.context for view in self.page_views}
        assert sorted(filter(None, views)) == sorted(names)
        assert len({view.visitor.client_id for view in views.values()}) == len(names)
        assert len(self.hits) == 2 * len(names)
        for hit in self.hits:
            name = getattr(hit, "action", None) or hit.context.page.title
            assert hit.context == views[name]
            assert hit.context.page.path == f"/streamed/{name}"

    def test_nothing_of_a_request_stays_behind(self) -> None:
        site = self.open()
        for path in ("/", "/streamed/fern", "/file", "/data", "/error"):
            site.get(path)

            assert current() is None, path


class _FailingSender(InlineSender):
    """A sender that breaks its promise never to raise."""

    def send(self, hit: object) -> bool:  # noqa: ARG002 - the protocol's
        raise RuntimeError("out of order")
