"""Behaviours of a tracked site: what is a page view, its title, its address."""

from __future__ import annotations

from collections.abc import Iterable

from server_tracking.hits import PageView
from server_tracking.testing.frameworks.site import FrameworkSite

__all__ = ["PageBehaviours"]

ANSWERS = (
    "/",
    "/by-hand",
    "/plants/fern",
    "/streamed/fern",
    "/file",
    "/gzip",
    "/empty",
    "/unchanged",
    "/redirect",
    "/data",
    "/cached",
    "/cookie",
    "/part/page",
    "/missing",
)
SCRIPT = {
    "Accept": "*/*",
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Mode": "cors",
    "X-Requested-With": "XMLHttpRequest",
}


class PageBehaviours(FrameworkSite):
    """Each request for a page is one page view, and nothing else is."""

    def test_a_page_is_tracked_once_with_all_that_is_known(self) -> None:
        answer = self.open().get(
            "/",
            query="utm_source=mail&token=hush",
            headers={"Referer": "https://elsewhere.example/a?token=hush"},
        )

        assert (answer.status, answer.body) == (200, self.page)
        [hit] = self.hits
        assert isinstance(hit, PageView)
        page, context = hit.context.page, hit.context
        assert page.url == "http://example.com/?utm_source=mail"
        assert (page.host, page.path) == ("example.com", "/")
        assert (page.title, page.encoding) == ("A page", "utf-8")
        assert page.referrer == "https://elsewhere.example/a"
        assert context.campaign.source == "mail"
        assert context.device.language == "de"
        assert (context.device.user_agent or "").endswith("Firefox/140.0")
        assert (hit.server_ms or -1) >= 0

    def test_no_answer_is_changed(self) -> None:
        site = self.open()
        for path in ANSWERS:
            site.cookies.clear()
            tracked = site.get(path)
            robot = site.get(path, headers={"User-Agent": "Googlebot/2.1"})

            assert (tracked.status, tracked.body) == (robot.status, robot.body), path
            assert _comparable(tracked.headers) == _comparable(robot.headers), path

    # Titles

    def test_the_title_comes_from_the_html(self) -> None:
        self.open().get("/plants/fern")

        assert self.page_titles == ["fern"]

    def test_the_title_of_the_template_wins_over_the_html(self) -> None:
        answer = self.open().get("/template")

        assert b"<title>From the HTML</title>" in answer.body
        assert self.page_titles == [self.template_title]

    def test_a_title_set_by_hand_wins_over_all(self) -> None:
        self.open().get("/by-hand")

        assert self.page_titles == ["By hand"]

    def test_a_title_beyond_ascii_is_read(self) -> None:
        self.open().get("/plants/Bücher & 日本")

        assert self.page_titles == ["Bücher & 日本"]

    def test_the_title_of_a_compressed_page_is_read(self) -> None:
        answer = self.open().get("/gzip")

        assert answer.body[:2] == b"\x1f\x8b"
        assert answer.header("content-encoding") == "gzip"
        assert self.page_titles == ["A page"]

    # Bodies

    def test_a_streamed_page_goes_out_as_it_is_made(self) -> None:
        made_at_arrival: list[int] = []
        answer = self.open().get(
            "/streamed/fern", on_piece=lambda _: made_at_arrival.append(len(self.made))
        )

        assert answer.body == b"<!doctype html><title>fern</title><p>End"
        assert self.page_titles == ["fern"]
        # Some frameworks look one piece ahead.
        for number, made in enumerate(made_at_arrival, start=1):
            assert made <= number + 1

    def test_a_file_goes_out_whole(self) -> None:
        answer = self.open().get("/file")

        assert answer.body == self.page
        assert len(self.page_views) == 1

    def test_what_is_posted_arrives_whole(self) -> None:
        answer = self.open().post("/echo", body=b"every byte")

        assert answer.body == b"every byte"
        assert self.hits == []

    # Routes and paths

    def test_the_route_is_its_pattern(self) -> None:
        self.open().get("/plants/fern")

        assert [hit.context.page.route for hit in self.hits] == [self.route]

    def test_a_path_beyond_ascii_is_readable(self) -> None:
        answer = self.open().get("/plants/日本")

        assert answer.status == 200
        [view] = self.page_views
        assert view.context.page.path == "/plants/%E6%97%A5%E6%9C%AC"

    def test_a_site_under_a_prefix_has_its_public_address(self) -> None:
        answer = self.open().get("/shop/plants/fern", root="/shop")

        assert answer.body == self.named("fern")
        [view] = self.page_views
        assert view.context.page.path == "/shop/plants/fern"
        assert view.context.page.url == "http://example.com/shop/plants/fern"

    def test_a_mounted_part_has_its_public_address(self) -> None:
        answer = self.open().get("/part/page")

        assert answer.body == self.page
        [view] = self.page_views
        assert view.context.page.path == "/part/page"

    def test_a_mounted_part_can_be_excluded(self) -> None:
        answer = self.open(pageview_exclude=("part/",)).get("/part/page")

        assert answer.body == self.page
        assert self.hits == []

    # What is no page view

    def test_a_page_that_the_browser_has_is_a_page_view_without_cookie(self) -> None:
        answer = self.open().get("/unchanged")

        assert (answer.status, answer.body) == (304, b"")
        assert len(self.page_views) == 1
        assert answer.cookies == {}

    def test_data_is_no_page_view(self) -> None:
        answer = self.open().get("/data")

        assert (answer.header("content-type") or "").startswith("application/json")
        assert self.hits == []

    def test_a_redirect_is_no_page_view(self) -> None:
        answer = self.open().get("/redirect")

        assert answer.status in {302, 303, 307}
        assert self.hits == []

    def test_an_empty_answer_is_no_page_view(self) -> None:
        answer = self.open().get("/empty")

        assert (answer.status, answer.body) == (204, b"")
        assert self.hits == []

    def test_head_is_no_page_view(self) -> None:
        self.open().ask("HEAD", "/")

        assert self.hits == []

    def test_an_excluded_path_is_no_page_view(self) -> None:
        site = self.open(pageview_exclude=("plants/",))
        site.get("/plants/fern")
        site.get("/")

        assert self.page_titles == ["A page"]

    def test_a_prefetched_page_is_no_page_view(self) -> None:
        self.open().get("/", headers={"Sec-Purpose": "prefetch"})

        assert self.hits == []

    def test_a_scripts_request_is_a_page_view_only_if_the_settings_say_so(self) -> None:
        self.open().get("/", headers=SCRIPT)
        assert self.hits == []

        self.open(pageview_ajax_responses=True).get("/", headers=SCRIPT)
        assert len(self.page_views) == 1

    def test_a_robots_request_is_no_page_view(self) -> None:
        tracker = self.make_tracker()
        self.open(tracker).get("/", headers={"User-Agent": "Googlebot/2.1"})

        assert self.hits == []
        assert tracker.stats().not_tracked == {"bot": 1}


def _comparable(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Leave out what differs from one request to the next, and our cookie."""
    return sorted(
        (name.lower(), value)
        for name, value in headers
        if name.lower() != "date" and not value.strip().startswith("vn=")
    )
