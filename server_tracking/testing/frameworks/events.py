"""Behaviours of a tracked site: events of any kind of handler."""

from __future__ import annotations

from server_tracking.hits import PageView
from server_tracking.observation import current
from server_tracking.testing.frameworks.site import FrameworkSite

__all__ = ["EventBehaviours"]


class EventBehaviours(FrameworkSite):
    """``@track_event("Basket", kind)`` makes each call of a handler an event."""

    def test_a_function_is_an_event(self) -> None:
        self._event_of("function")

    def test_a_coroutine_is_an_event(self) -> None:
        self._event_of("coroutine")

    def test_a_method_is_an_event(self) -> None:
        self._event_of("method")

    def test_a_class_based_handler_is_an_event(self) -> None:
        self._event_of("class")

    def test_a_generator_is_an_event(self) -> None:
        self._event_of("generator")

    def test_background_work_is_an_event_of_its_request(self) -> None:
        self._event_of("background")

    def test_an_event_amid_a_streamed_page_has_its_title(self) -> None:
        self.open().get("/streamed/fern")

        view, event = self.hits
        assert self.event_names == [("Read", "fern")]
        assert event.context == view.context
        assert event.context.page.title == "fern"

    def test_an_event_in_a_request_that_is_no_page_view_is_sent(self) -> None:
        answer = self.open().post("/events/function")

        assert self.event_names == [("Basket", "function")]
        assert self.page_views == []
        assert "vn" in answer.cookies

    def test_an_event_in_an_excluded_path_is_sent(self) -> None:
        self.open(pageview_exclude=("events/",)).get("/events/function")

        assert self.event_names == [("Basket", "function")]
        assert self.page_views == []

    def test_events_of_a_visitor_belong_together(self) -> None:
        site = self.open()
        site.post("/events/function")
        site.get("/")

        event, view = self.hits
        assert event.context.visitor.client_id == view.context.visitor.client_id
        assert event.context.session.id == view.context.session.id

    def test_an_event_outside_of_a_request_is_one_of_the_server(self) -> None:
        tracker = self.make_tracker()
        self.open(tracker).get("/")
        assert current() is None

        tracker.event("Night", "Cleaned")

        view, event = self.hits
        assert event.context.visitor.client_id != view.context.visitor.client_id
        assert event.context.page.url is None

    def _event_of(self, kind: str) -> None:
        answer = self.open().get(f"/events/{kind}")

        assert answer.body == self.page
        view, event = self.hits
        assert isinstance(view, PageView)
        assert self.event_names == [("Basket", kind)]
        assert event.context == view.context
