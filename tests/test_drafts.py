"""A request leaves drafts; who sends them writes the hits, and both say the same."""

import msgspec
import pytest

from server_tracking import Tracker
from server_tracking.drafts import ContextDraft, HitDraft
from server_tracking.exchange import request_from_environ, request_from_scope
from server_tracking.hits import Event, PageView
from server_tracking.reasons import Reason
from server_tracking.senders.hooks import Hooks
from server_tracking.senders.packing import packed
from server_tracking.senders.sizes import size_of
from server_tracking.systems import Plausible
from server_tracking.testing import RecordingSender
from server_tracking.wsgi import TrackingMiddleware

ADDRESS = "203.0.113.77"
PAGE = b"<!doctype html><title>Ferns</title>"
BROWSER = {
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "accept": "text/html",
    "accept-language": "de,en;q=0.5",
    "referer": "https://www.example.org/links?from=me",
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
    "x-secret": "not for anybody",
    "host": "shop.example",
}
SECRETS = (ADDRESS, "not for anybody")


class DraftingSender(RecordingSender):
    """Keep what a sender with a thread of its own is handed."""

    takes_drafts = True

    def __init__(self):
        super().__init__()
        self.drafts = []

    def send(self, draft):
        self.drafts.append(draft)
        return True


def environ(**changed):
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/f\xc3\xa4rne",
        "QUERY_STRING": "utm_source=mail&token=abc",
        "SERVER_NAME": "shop.example",
        "SERVER_PORT": "443",
        "REMOTE_ADDR": ADDRESS,
        "wsgi.url_scheme": "https",
        **{
            f"HTTP_{name.upper().replace('-', '_')}": value
            for name, value in BROWSER.items()
        },
        **changed,
    }


def scope():
    return {
        "type": "http",
        "method": "GET",
        "scheme": "https",
        "path": "/f\xe4rne",
        "root_path": "",
        "query_string": b"utm_source=mail&token=abc",
        "client": (ADDRESS, 5000),
        "server": ("shop.example", 443),
        "headers": [(name.encode(), value.encode()) for name, value in BROWSER.items()],
    }


def site(_environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
    return [PAGE]


def visit(tracker, given):
    list(TrackingMiddleware(site, tracker)(given, lambda *_: None))


def known(hit):
    """Leave out what is new with each hit."""
    visitor = msgspec.structs.replace(hit.context.visitor, client_id="7.1790000000")
    session = msgspec.structs.replace(hit.context.session, id=1_790_000_000)
    context = msgspec.structs.replace(hit.context, visitor=visitor, session=session)
    return {**msgspec.structs.asdict(hit), "context": context} | dict.fromkeys(
        ("id", "time", "server_ms")
    )


@pytest.fixture
def drafting():
    return DraftingSender()


@pytest.fixture
def make_draft(make_tracker):
    extractor = make_tracker().extractor

    def make(source, **noted):
        read = (
            request_from_environ if "REQUEST_METHOD" in source else request_from_scope
        )
        request = read(source, extractor.address_rule)
        recognition = extractor.recognize(request, 1_790_000_000.0)
        told = dict.fromkeys(("title", "route", "encoding", "user_id")) | noted
        return ContextDraft(extractor, request, recognition, **told)

    return make


def all_that_is_held(thing, seen):
    """Yield every text that can be reached from *thing*, but for the settings."""
    if isinstance(thing, str | bytes):
        yield thing if isinstance(thing, str) else thing.decode("latin-1")
    elif id(thing) not in seen and type(thing).__name__ not in (
        "Extractor",
        "function",
    ):
        seen.add(id(thing))
        if isinstance(thing, dict):
            held = [*thing.keys(), *thing.values()]
        elif isinstance(thing, list | tuple | set | frozenset):
            held = list(thing)
        elif hasattr(thing, "__self__"):  # a bound method, such as a dict's own `get`
            held = [thing.__self__]
        else:
            names = [
                name
                for kind in type(thing).__mro__
                for name in getattr(kind, "__slots__", ())
            ]
            held = [object.__getattribute__(thing, n) for n in names if _has(thing, n)]
        for inner in held:
            yield from all_that_is_held(inner, seen)


def _has(thing, name):
    try:
        object.__getattribute__(thing, name)
    except AttributeError:
        return False
    return True


def test_a_thread_is_handed_drafts_that_say_what_others_are_told(drafting, sender):
    options = {"secret_key": "a secret key for tests", "strict": True}
    visit(Tracker(sender=drafting, **options), environ())
    visit(Tracker(sender=sender, **options), environ())

    [draft], [hit] = drafting.drafts, sender.hits
    assert isinstance(draft, HitDraft)
    assert known(draft.hit()) == known(hit)
    assert hit.context.page.url == "https://shop.example/f%C3%A4rne?utm_source=mail"
    assert hit.context.page.title == "Ferns"


def test_a_draft_is_written_once(drafting):
    visit(Tracker(sender=drafting, secret_key="a secret key"), environ())

    [draft] = drafting.drafts
    assert draft.hit() is draft.hit()
    assert (draft.id, draft.time) == (draft.hit().id, draft.hit().time)


def test_a_server_may_use_its_environ_again(drafting):
    given = environ()
    visit(Tracker(sender=drafting, secret_key="a secret key"), given)
    given.clear()

    [draft] = drafting.drafts
    assert draft.hit().context.page.referrer == "https://www.example.org/links"
    assert draft.hit().context.device.language == "de"


def test_all_hits_of_a_request_share_one_context(make_draft):
    draft = make_draft(environ(), title="Ferns")

    page = HitDraft(PageView, {}, draft)
    event = HitDraft(Event, {"time": 5.0, "category": "Basket"}, draft)

    assert page.hit().context is event.hit().context
    assert event.time == event.hit().time == 5.0


def test_texts_are_scrubbed_when_they_are_written(make_draft):
    fields = {"time": 5.0, "category": "mail to eve@example.com"}

    hit = HitDraft(Event, fields, make_draft(environ())).hit()

    assert "eve@example.com" not in hit.category


@pytest.mark.parametrize("source", [environ(), scope()], ids=["environ", "scope"])
def test_a_draft_keeps_neither_the_address_nor_what_no_context_needs(
    make_draft, source
):
    draft = HitDraft(PageView, {}, make_draft(source))

    held = list(all_that_is_held(draft, set()))
    assert any("example.org/links" in text for text in held)  # it is looked at
    assert not [text for text in held for secret in SECRETS if secret in text]
    assert draft.hit().context.address == "203.0.113.0"
    assert ADDRESS not in repr(draft)


@pytest.mark.parametrize("source", [environ(), scope()], ids=["environ", "scope"])
def test_its_size_is_about_that_of_the_hit(make_draft, source):
    draft = HitDraft(PageView, {}, make_draft(source, title="Ferns"))

    assert size_of(draft) == draft.size
    assert size_of(draft) == pytest.approx(size_of(draft.hit()), rel=0.25)


def test_a_long_address_makes_a_draft_large(make_draft):
    long = make_draft(environ(QUERY_STRING="q" * 50_000))

    assert HitDraft(PageView, {}, long).size > 50_000


def test_what_cannot_be_written_is_lost_alone(make_draft):
    good = HitDraft(PageView, {}, make_draft(environ()))
    bad = HitDraft(Event, {"time": 5.0, "no such field": 1}, make_draft(environ()))
    errors = []

    entries = [(draft, draft.size, 0.0) for draft in (good, bad)]
    result = packed(
        Plausible("shop.example"),
        entries,
        good.time,
        Hooks(on_error=errors.append),
    )

    assert [entry for _, load in result.loads for entry in load] == entries[:1]
    assert result.losses == [(Reason.INVALID, entries[1:])]
    assert [type(error) for error in errors] == [TypeError]
