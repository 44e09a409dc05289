"""What a site itself calls personal: the option `scrub`."""

import re

import pytest

from server_tracking import ConfigurationError, Event, Reason, Request, Tracker
from server_tracking.hits import Item, Page, Purchase
from server_tracking.scrubbing import own_scrubber_from, scrubbed_hit, scrubbed_page
from server_tracking.senders.packing import packed
from server_tracking.settings import Settings
from server_tracking.systems import Plausible
from server_tracking.testing import NOW, RecordingSender, sample_context, sample_hits
from server_tracking.wsgi import TrackingMiddleware

CUSTOMER = r"\bK-[0-9]{4}\b"


def mask_names(text):
    return text.replace("Erika", "N.")


def own(*given):
    return own_scrubber_from(given)


def test_without_any_there_is_nothing_to_do():
    assert own() is None
    assert Settings().own_scrubber is None


def test_patterns_and_functions_work_in_order():
    assert own(CUSTOMER, mask_names)("Erika K-4711, Erika") == "N. [removed], N."
    assert own(re.compile("erika", re.IGNORECASE))("Erika M") == "[removed] M"


def test_a_page_is_scrubbed_in_all_its_parts():
    page = Page(
        url="https://example.com/of/K-4711/Erika%20M?ref=K-4711&utm_source=a",
        host="example.com",
        path="/of/K-4711/Erika%20M",
        title="K-4711: Erika",
        referrer="https://example.org/K%2D4711/x",
        route="/of/<customer>",
    )

    clean = scrubbed_page(page, own(CUSTOMER, mask_names))

    assert clean == Page(
        url="https://example.com/of/[removed]/N.%20M?ref=[removed]&utm_source=a",
        host="example.com",
        path="/of/[removed]/N.%20M",
        title="[removed]: N.",
        referrer="https://example.org/[removed]/x",
        route="/of/<customer>",
    )


def test_what_is_not_personal_stays_as_it_was_written():
    page = sample_context().page

    assert scrubbed_page(page, own(CUSTOMER)) == page
    for hit in sample_hits():
        assert scrubbed_hit(hit, own(CUSTOMER)) is hit


def test_a_function_cannot_write_into_the_url():
    page = Page(url="https://a.example/x", host="a.example", path="/x")

    clean = scrubbed_page(page, own(lambda text: "a/../b?c=d&e#f\r\ng"))

    assert clean.url == "https://a.example/a%2F..%2Fb%3Fc%3Dd%26e%23f%0D%0Ag"
    assert clean.path == clean.url.removeprefix("https://a.example")


def test_a_page_without_a_host_has_a_path():
    clean = scrubbed_page(Page(path="/of/K-4711"), own(CUSTOMER))

    assert (clean.url, clean.path) == (None, "/of/[removed]")


def test_texts_of_events_and_articles_are_scrubbed():
    event = Event(
        context=sample_context(), category="K-4711", params={"K-4711": "of K-4711"}
    )
    sale = Purchase(
        context=sample_context(),
        transaction_id="K-4711",
        items=(Item(id="K-4711", name="Fern of K-4711"), Item(id="7")),
    )

    assert scrubbed_hit(event, own(CUSTOMER)).category == "[removed]"
    assert scrubbed_hit(event, own(CUSTOMER)).params == {"[removed]": "of [removed]"}
    clean = scrubbed_hit(sale, own(CUSTOMER))
    assert clean.transaction_id == "[removed]"
    assert clean.items == (Item(id="[removed]", name="Fern of [removed]"), Item(id="7"))


def serve(tracker, browser):
    """Serve a request that has a customer's number wherever the library looks."""
    headers = {name.lower(): value for name, value in browser.items()}
    headers["referer"] = "https://example.org/K-4711"
    request = Request(
        path_info="/of/K-4711",
        host="example.com",
        query="utm_source=K-4711&utm_campaign=of+K-4711&ref=K-4711",
        headers=headers,
    )
    recognition = tracker.extractor.recognize(request, NOW)
    return tracker.extractor.context(
        request, recognition, title="Of K-4711", user_id="K-4711"
    )


def test_a_context_holds_nothing_of_it(make_tracker, browser):
    context = serve(make_tracker(scrub=[CUSTOMER]), browser)

    assert "4711" not in repr(context)
    assert context.visitor.user_id is None
    assert context.campaign.source == "[removed]"
    assert context.campaign.name == "of [removed]"


def test_page_path_and_scrub_go_together(make_tracker, browser):
    context = serve(make_tracker(scrub=[CUSTOMER], scrub_ids=True), browser)

    assert context.page.path == "/of/[removed]"


class BrokenError(Exception):
    pass


def broken(text):
    raise BrokenError(f"cannot read {text}")


@pytest.mark.parametrize("scrub", [broken, lambda text: None, lambda text: b"x"])
def test_a_scrubber_that_fails_keeps_the_hit_back(scrub, caplog, browser):
    """It is what keeps something personal from leaving: without it nothing leaves."""
    caplog.set_level("DEBUG")
    sender = RecordingSender()
    tracker = Tracker(sender=sender, secret_key="a secret key", scrub=[scrub])

    def site(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/html")])
        return [b"<title>Erika K-4711</title>"]

    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/Erika",
        "HTTP_HOST": "example.com",
        **{f"HTTP_{n.upper().replace('-', '_')}": v for n, v in browser.items()},
    }
    body = TrackingMiddleware(site, tracker)(environ, lambda status, headers: None)

    assert b"".join(body) == b"<title>Erika K-4711</title>"
    assert sender.hits == []
    assert tracker.stats().errors == 1
    assert "Erika" not in caplog.text


def test_outside_of_a_request_it_keeps_the_hit_back_too():
    sender = RecordingSender()
    tracker = Tracker(sender=sender, secret_key="a secret key", scrub=[broken])

    tracker.event("Order of Erika", context=sample_context())

    assert sender.hits == []
    assert tracker.stats().errors == 1


def test_in_strict_mode_it_tells():
    tracker = Tracker(sender=RecordingSender(), scrub=[broken], strict=True)

    with pytest.raises(BrokenError):
        tracker.event("Order of Erika", context=sample_context())


def test_in_a_senders_thread_the_hit_is_counted_as_invalid(make_tracker):
    class Draft:
        id, time = sample_hits()[0].id, NOW

        def hit(self):
            return scrubbed_hit(sample_hits()[1], own(broken))

    result = packed(Plausible("example.com"), [(Draft(), 0, 0.0)], NOW)

    assert not result.loads
    assert [reason for reason, _ in result.losses] == [Reason.INVALID]


@pytest.mark.parametrize(
    "wrong", ["K-[0-9]+", ["("], [""], ["x*"], [re.compile("x*")], [7], [None], 7]
)
def test_what_scrubs_nothing_is_refused(wrong):
    with pytest.raises(ConfigurationError, match="'scrub'") as caught:
        Settings.from_mapping({"scrub": wrong})

    assert caught.value.option == "scrub"


def test_it_is_configured_by_a_list_or_a_variable():
    assert Settings.from_mapping({"scrub": [CUSTOMER]}).scrub == (CUSTOMER,)
    variables = {"SERVER_TRACKING_SCRUB": r"K-\d+, ORDER\d+"}
    assert Settings.from_env(variables).scrub == (r"K-\d+", r"ORDER\d+")
