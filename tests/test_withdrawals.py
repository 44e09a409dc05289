"""Whoever takes an acceptance back is told of to the site, once and by their id."""

import time

import pytest
from webtest import TestApp

from server_tracking import ConfigurationError, Request, Settings, Tracker
from server_tracking.consent_endpoint import ConsentWSGI
from server_tracking.extractor import Extractor
from server_tracking.hits import Consent
from server_tracking.testing import RecordingSender
from server_tracking.wsgi import TrackingMiddleware

KEY = "a secret key for tests"


def page(_environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html")])
    return [b"<title>A page</title>"]


class Browser:
    """A browser that keeps cookies, on a site that listens for withdrawals."""

    def __init__(self, app, headers, **options):
        self.tracker = Tracker(sender=RecordingSender(), secret_key=KEY, **options)
        self.app, self.headers, self.cookies = app, headers, {}

    def open(self, path="/", action=None):
        """Open a page; return its body and the cookies that it sets."""
        if action is not None:
            self.cookies["cookie_action"] = action
        app = TrackingMiddleware(self.app, self.tracker)
        return self._ask(TestApp(app).get(path, headers=self._told(), **_HTTPS))

    def post(self, action):
        headers = {**self._told(), "Sec-Fetch-Site": "same-origin"}
        site = TestApp(ConsentWSGI(self.tracker))
        form = {"action": action}
        return self._ask(site.post("/", form, headers=headers, status=204, **_HTTPS))

    @property
    def client_id(self):
        return self.tracker.sender.hits[0].context.visitor.client_id

    def _told(self):
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {**self.headers, "Cookie": cookies}

    def _ask(self, answer):
        for header in answer.headers.getall("Set-Cookie"):
            name, _, value = header.partition(";")[0].partition("=")
            self.cookies[name] = value
            if "Max-Age=0" in header:
                del self.cookies[name]
        return answer


_HTTPS = {"extra_environ": {"wsgi.url_scheme": "https"}}


@pytest.fixture
def told():
    return []


@pytest.fixture
def visitor(told, browser):
    def visitor(app=page, **options):
        given = {"strict": True, "on_withdraw": told.append, **options}
        return Browser(app, browser, **given)

    return visitor


@pytest.mark.parametrize("action", ["withdraw", "refuse"])
def test_the_site_is_told_whose_acceptance_is_taken_back(visitor, told, action):
    one = visitor()
    one.open(action="accept")
    one.open(action=action)

    assert told == [one.client_id]


def test_it_is_told_once(visitor, told):
    one = visitor()
    one.open(action="accept")
    for _ in range(3):
        one.open(action="withdraw")

    assert len(told) == 1


@pytest.mark.parametrize("action", ["withdraw", "refuse", "accept", "nonsense", None])
def test_whoever_has_not_accepted_takes_nothing_back(visitor, told, action):
    one = visitor()
    one.open()
    one.open(action=action)

    assert told == []


def test_the_endpoint_tells_it_as_well(visitor, told):
    one = visitor()
    one.open(action="accept")
    one.post("withdraw")

    assert told == [one.client_id]


def test_a_consent_platform_tells_it_as_well(visitor, told):
    answers = [Consent(analytics=True), Consent(analytics=False), False, None]
    one = visitor(consent_resolver=lambda _request: answers.pop(0))
    for _ in range(4):
        one.open()

    assert told == [one.client_id]


def test_it_waits_for_an_answer_that_may_carry_the_cookies(visitor, told):
    def cached(environ, start_response):
        shared = "public, max-age=60" if environ["QUERY_STRING"] else "private"
        head = [("Content-Type", "text/html"), ("Cache-Control", shared)]
        start_response("200 OK", head)
        return [b"<title>A page</title>"]

    one = visitor(cached)
    one.open(action="accept")
    one.open("/?cached", "withdraw")
    assert told == []

    one.open()
    assert told == [one.client_id]


def test_a_forged_cookie_withdraws_nobody(visitor, told):
    one = visitor()
    now = int(time.time())
    one.cookies["vn"] = f"1.7.{now}.{now}.1.{now}.{now}.forged"
    one.open(action="withdraw")

    assert told == []


def test_the_sites_own_error_reaches_no_visitor_and_is_counted(visitor):
    def broken(_client_id):
        raise RuntimeError("the database is away")

    one = visitor(on_withdraw=broken, strict=False)
    one.open(action="accept")
    one.post("withdraw")

    assert one.cookies == {"cookie_status": "0"}
    assert one.tracker.stats().errors == 1


def test_such_an_error_in_a_page_leaves_the_page_and_its_cookies_alone(visitor):
    def broken(_client_id):
        raise RuntimeError("the database is away")

    one = visitor(on_withdraw=broken, strict=False)
    one.open(action="accept")
    answer = one.open(action="withdraw")

    assert answer.body == b"<title>A page</title>"
    assert one.cookies == {"cookie_status": "0"}
    assert one.tracker.stats().errors == 1


def test_what_cannot_be_called_is_refused():
    with pytest.raises(ConfigurationError, match="on_withdraw"):
        Settings(secret_key=KEY, on_withdraw="a name")


def test_the_id_cookie_is_known_only_if_it_is_ours():
    extractor = Extractor(Settings(secret_key=KEY))

    assert extractor.known(Request(headers={"cookie": "vn=1.2.3"}), 0) is None
    assert extractor.known(Request(), 0) is None
