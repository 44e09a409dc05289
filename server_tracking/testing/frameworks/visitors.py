"""Behaviours of a tracked site: who a visitor is, and what they allow."""

from __future__ import annotations

from server_tracking import request_from
from server_tracking.testing.frameworks.site import FrameworkSite

__all__ = ["VisitorBehaviours"]


class VisitorBehaviours(FrameworkSite):
    """A visitor is known by a signed cookie, as far as they allow."""

    def test_a_new_visitor_gets_a_signed_session_cookie(self) -> None:
        cookies = self.open().get("/").cookies

        assert list(cookies) == ["vn"]
        assert cookies["vn"].startswith("vn=1.")
        assert cookies["vn"].endswith("; Path=/; HttpOnly; SameSite=Lax")
        assert self.hits[0].context.visitor.is_new

    def test_the_cookie_is_secure_over_https(self) -> None:
        cookies = self.open().get("/", scheme="https").cookies

        assert "; Secure" in cookies["vn"]
        assert (self.hits[0].context.page.url or "").startswith("https://")

    def test_a_known_visitor_stays_the_same(self) -> None:
        site = self.open()
        site.get("/")
        again = site.get("/plants/fern")

        first, second = (hit.context for hit in self.hits)
        assert first.visitor.client_id == second.visitor.client_id
        assert first.session.id == second.session.id
        assert (first.visitor.is_new, second.visitor.is_new) == (True, False)
        assert again.cookies == {}

    def test_a_forged_cookie_makes_a_new_visitor(self) -> None:
        site = self.open()
        site.get("/")
        site.cookies["vn"] = site.cookies["vn"][:-3] + "xyz"
        answer = site.get("/")

        first, second = (hit.context.visitor for hit in self.hits)
        assert first.client_id != second.client_id
        assert "vn" in answer.cookies

    def test_what_a_shared_cache_may_keep_carries_no_cookie(self) -> None:
        answer = self.open().get("/cached")

        assert "public" in (answer.header("cache-control") or "")
        assert answer.cookies == {}
        assert len(self.page_views) == 1

    def test_cookies_of_the_site_stay(self) -> None:
        answer = self.open().get("/cookie")

        assert sorted(answer.cookies) == ["theirs", "vn"]
        assert answer.cookies["theirs"].startswith("theirs=1")

    # Consent

    def test_nothing_is_sent_before_the_visitor_agrees_where_that_is_asked(
        self,
    ) -> None:
        answer = self.open(consent_mode="opt-in").get("/")

        assert self.hits == []
        assert answer.cookies == {}

    def test_a_visitor_who_accepts_is_known_for_long(self) -> None:
        site = self.open(consent_mode="opt-in")
        site.cookies["cookie_action"] = "accept"
        cookies = site.get("/").cookies
        site.get("/")

        assert "; Max-Age=34128000" in cookies["vn"]
        assert cookies["cookie_status"].startswith("cookie_status=1;")
        assert "cookie_action" not in site.cookies
        assert [hit.context.consent.analytics for hit in self.hits] == [True, True]

    def test_a_visitor_who_refuses_is_forgotten(self) -> None:
        site = self.open()
        site.get("/")
        self.hits.clear()
        site.cookies["cookie_action"] = "refuse"
        site.get("/")
        site.get("/plants/fern")

        assert self.hits == []
        assert site.cookies == {"cookie_status": "0"}

    def test_a_browser_that_objects_is_not_tracked(self) -> None:
        for signal in ({"Sec-GPC": "1"}, {"DNT": "1"}):
            answer = self.open().get("/", headers=signal)

            assert answer.cookies == {}
        assert self.hits == []

    def test_events_of_a_visitor_who_refused_are_not_sent(self) -> None:
        site = self.open()
        site.cookies["cookie_status"] = "0"
        site.get("/events/function")

        assert self.hits == []

    def test_the_sites_own_people_are_not_tracked(self) -> None:
        tracker = self.make_tracker()
        environ = {"REQUEST_METHOD": "GET", "wsgi.url_scheme": "http"}
        cookie = tracker.own_cookie(request_from(environ))
        name, _, value = cookie.partition(";")[0].partition("=")
        site = self.open(tracker)
        site.cookies[name] = value
        site.get("/")

        assert self.hits == []
        assert tracker.stats().not_tracked == {"own": 1}

    # Addresses

    def test_the_address_is_anonymous(self) -> None:
        site = self.open()
        site.get("/", peer="203.0.113.77")
        site.get("/", peer="2001:db8:1:2:3:4:5:6")
        site.get("/", peer="no address")

        addresses = [hit.context.address for hit in self.hits]
        assert addresses == ["203.0.113.0", "2001:db8:1::", None]

    def test_a_claimed_address_counts_only_from_a_trusted_proxy(self) -> None:
        claim = {"X-Forwarded-For": "198.51.100.9"}
        self.open().get("/", headers=claim)
        self.open(trusted_proxies=("203.0.113.77",)).get("/", headers=claim)

        addresses = [hit.context.address for hit in self.hits]
        assert addresses == ["203.0.113.0", "198.51.100.0"]
