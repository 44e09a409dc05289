"""`track_event` and `track_pageview`, for every kind of handler."""

import asyncio
import inspect

import pytest

from server_tracking import (
    ConfigurationError,
    Observation,
    Request,
    track_event,
    track_pageview,
)
from server_tracking.tracker import collector


@pytest.fixture
def observation(tracker, browser):
    """The observation of a page that is being served."""
    headers = {name.lower(): value for name, value in browser.items()}
    request = Request("GET", "/shop", host="example.com", headers=headers)
    made = Observation(tracker, request, lambda source, rule: source)
    token = collector.set(made)
    yield made
    collector.reset(token)


@pytest.fixture
def told(observation, sender):
    """End the request, and list the events as (category, action, label, value)."""

    def told():
        observation.close()
        return [(h.category, h.action, h.label, h.value) for h in sender.hits]

    return told


def collect(generator):
    return list(generator)


def test_a_function_is_an_event_and_keeps_its_result(told):
    @track_event("Basket", "Add")
    def add(number):
        return number + 1

    assert add(2) == 3
    assert told() == [("Basket", "Add", None, None)]


def test_label_value_and_params_may_come_from_the_result(observation, sender):
    @track_event(
        "Basket",
        "Add",
        label=lambda plant: plant["name"],
        value=lambda plant: plant["price"],
        params=lambda plant: {"size": plant["size"]},
    )
    def add():
        return {"name": "fern", "price": 19.5, "size": "L"}

    add()
    observation.close()

    [hit] = sender.hits
    assert (hit.label, hit.value, hit.params) == ("fern", 19.5, {"size": "L"})


def test_a_coroutine_is_an_event_when_it_has_ended(told):
    @track_event("Basket", "Add", label=str)
    async def add(number):
        await asyncio.sleep(0)
        return number

    assert asyncio.run(add(7)) == 7
    assert inspect.iscoroutinefunction(add)
    assert told() == [("Basket", "Add", "7", None)]


def test_a_generator_is_one_event_at_its_end(told):
    @track_event("Feed", "Read")
    def feed():
        got = yield 1
        yield got
        return "end"

    generator = feed()
    assert next(generator) == 1
    assert generator.send("back") == "back"
    with pytest.raises(StopIteration) as stopped:
        next(generator)
    assert stopped.value.value == "end"
    assert told() == [("Feed", "Read", None, None)]


def test_a_generator_that_is_left_early_is_no_event(told):
    @track_event("Feed", "Read")
    def feed():
        yield 1
        yield 2

    generator = feed()
    next(generator)
    generator.close()

    assert told() == []


def test_an_async_generator_is_one_event_at_its_end(told):
    @track_event("Feed", "Read")
    async def feed():
        got = yield 1
        yield got

    async def read():
        generator = feed()
        first = await anext(generator)
        second = await generator.asend("back")
        return [first, second, *[item async for item in generator]]

    assert asyncio.run(read()) == [1, "back"]
    assert told() == [("Feed", "Read", None, None)]


def test_an_error_thrown_into_an_async_generator_reaches_it(told):
    seen = []

    @track_event("Feed", "Read")
    async def feed():
        try:
            yield 1
        except LookupError as error:
            seen.append(error)
            yield 2

    async def read():
        generator = feed()
        await anext(generator)
        return await generator.athrow(LookupError())

    assert asyncio.run(read()) == 2
    assert len(seen) == 1


def test_methods_static_methods_and_class_methods(told):
    class View:
        @track_event("View", "Plain")
        def plain(self):
            return self

        @track_event("View", "Static")
        @staticmethod
        def static():
            return "static"

        @classmethod
        @track_event("View", "Class")
        def of_class(cls):
            return cls

    view = View()
    assert view.plain() is view
    assert View.static() == "static"
    assert View.of_class() is View
    assert [event[1] for event in told()] == ["Plain", "Static", "Class"]


def test_name_docstring_and_signature_stay():
    @track_event("Basket")
    def add(number: int, *, many: bool = False) -> str:
        """Add it."""
        return str(number) * many

    assert (add.__name__, add.__doc__) == ("add", "Add it.")
    assert str(inspect.signature(add)) == "(number: int, *, many: bool = False) -> str"


@pytest.mark.parametrize(("when", "events"), [("success", 0), ("always", 1)])
def test_a_handler_that_raises_is_an_event_only_on_demand(told, when, events):
    @track_event("Basket", "Add", label=lambda result: 1 / 0, when=when)
    def add():
        raise LookupError

    with pytest.raises(LookupError):
        add()
    assert len(told()) == events


def test_a_failing_label_loses_the_event_and_nothing_else(
    make_tracker, sender, browser
):
    tracker = make_tracker(strict=False)
    made = Observation(tracker, Request("GET", "/"), lambda source, rule: source)
    token = collector.set(made)

    @track_event("Basket", label=lambda result: result.missing)
    def add():
        return "kept"

    try:
        assert add() == "kept"
    finally:
        collector.reset(token)
    assert tracker.stats().errors == 1


def test_outside_of_a_request_nothing_happens(sender):
    @track_event("Job", "Done")
    def job():
        return 1

    assert job() == 1
    assert sender.hits == []


def test_outside_of_a_request_a_tracker_that_is_named_hears_of_it(tracker, sender):
    @track_event("Job", "Done", tracker=tracker)
    def job():
        return 1

    job()

    [hit] = sender.hits
    assert hit.category == "Job"


def test_brackets_may_not_be_forgotten():
    with pytest.raises(ConfigurationError, match=r"@track_event\(\.\.\.\)"):

        @track_event
        def handler():
            pass


def test_a_class_is_refused_because_its_methods_are_the_handlers():
    with pytest.raises(ConfigurationError, match="its methods"):

        @track_event("View")
        class View:
            pass


def test_a_callable_object_with_a_coroutine_is_awaited(told):
    class Handler:
        async def __call__(self):
            return "done"

    tracked = track_event("Job", label=str)(Handler())

    assert asyncio.run(tracked()) == "done"
    assert told() == [("Job", None, "done", None)]


def test_another_when_is_refused():
    with pytest.raises(ConfigurationError, match="'success' and 'always'"):
        track_event("Basket", when="sometimes")


def test_track_pageview_counts_whatever_the_rules_say(tracker, sender, browser):
    headers = {name.lower(): value for name, value in browser.items()}
    request = Request("POST", "/step", host="example.com", headers=headers)
    made = Observation(tracker, request, lambda source, rule: source)
    token = collector.set(made)

    @track_pageview(lambda result: result)
    def step():
        return "Step two"

    step()
    step()
    made.respond(200, [("Content-Type", "text/html")])
    made.close()
    collector.reset(token)

    assert [hit.context.page.title for hit in sender.hits] == ["Step two"]


def test_track_pageview_without_arguments_keeps_the_pages_own_title(
    observation, sender
):
    @track_pageview()
    def page():
        return "x"

    page()
    observation.respond(200, [("Content-Type", "text/html")])
    observation.feed(b"<title>Own</title>")
    observation.close()

    assert [hit.context.page.title for hit in sender.hits] == ["Own"]
