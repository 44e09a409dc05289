"""The counts as Prometheus and OpenTelemetry see them, with the real libraries."""

import pytest

from server_tracking import Tracker
from server_tracking.hits import Context, Event, ScreenView, Session, Visitor
from server_tracking.metrics import METRICS, PrometheusCollector, observe
from server_tracking.reasons import Reason
from server_tracking.senders.inline import InlineSender
from server_tracking.testing.senders import ContractSystem

CONTEXT = Context(Visitor("7.1790000000"), Session(id=1790000000))


@pytest.fixture
def busy_tracker():
    """A tracker with a hit that failed, one that its system has no words for, and more."""
    system = ContractSystem("http://127.0.0.1:9/")  # nobody listens there
    tracker = Tracker(system, sender=InlineSender(), secret_key="a secret for tests")
    tracker.send(Event(context=CONTEXT, category="good"))
    tracker.send(ScreenView(context=CONTEXT, name="Start"))
    tracker.count(Reason.BOT)
    tracker.note_error(ValueError())
    tracker.close()
    tracker.send(Event(context=CONTEXT, category="late"))
    return tracker


EXPECTED = {
    ("hits_submitted", ("contract",)): 3,
    ("hits_ended", ("contract", "delivered", "")): 0,
    ("hits_ended", ("contract", "unknown", "")): 0,
    ("hits_ended", ("contract", "expired", "")): 0,
    ("hits_ended", ("contract", "abandoned", "")): 1,
    ("hits_ended", ("contract", "lost", "")): 0,
    ("hits_ended", ("contract", "refused", "closed")): 1,
    ("hits_ended", ("contract", "rejected", "unsupported")): 1,
    ("hits_held", ("contract", "queued")): 0,
    ("hits_held", ("contract", "waiting")): 0,
    ("hits_held", ("contract", "sending")): 0,
    ("not_tracked", ("bot",)): 1,
    ("errors", ()): 1,
}


def test_prometheus_collects_every_count(busy_tracker):
    core = pytest.importorskip("prometheus_client.core")
    registry = core.CollectorRegistry()
    registry.register(PrometheusCollector(busy_tracker))

    found = {}
    for family in registry.collect():
        short = family.name.removeprefix("server_tracking_")
        [metric] = [metric for metric in METRICS if metric.name == short]
        for sample in family.samples:
            assert tuple(sample.labels) == metric.labels
            assert sample.name == f"{family.name}{'' if metric.falls else '_total'}"
            found[short, tuple(sample.labels.values())] = sample.value

    assert found == EXPECTED


def test_prometheus_shows_them_as_text(busy_tracker):
    prometheus = pytest.importorskip("prometheus_client")
    registry = prometheus.CollectorRegistry()
    registry.register(PrometheusCollector(busy_tracker))

    text = prometheus.generate_latest(registry).decode()

    ended = 'server_tracking_hits_ended_total{end="refused",reason="closed",'
    assert f'{ended}system="contract"}} 1.0' in text
    assert "# TYPE server_tracking_hits_held gauge" in text


def test_registering_does_not_collect():
    core = pytest.importorskip("prometheus_client.core")

    class Untouchable:
        def stats(self):
            raise AssertionError

    core.CollectorRegistry().register(PrometheusCollector(Untouchable()))


def test_opentelemetry_observes_every_count(busy_tracker):
    sdk = pytest.importorskip("opentelemetry.sdk.metrics")
    export = pytest.importorskip("opentelemetry.sdk.metrics.export")
    reader = export.InMemoryMetricReader()
    provider = sdk.MeterProvider([reader], shutdown_on_exit=False)
    observe(busy_tracker, provider.get_meter("tests"))

    [resource] = reader.get_metrics_data().resource_metrics
    [scope] = resource.scope_metrics
    found = {}
    for metric in scope.metrics:
        short = metric.name.removeprefix("server_tracking.")
        [known] = [metric for metric in METRICS if metric.name == short]
        assert metric.data.is_monotonic is not known.falls
        for point in metric.data.data_points:
            labels = tuple(point.attributes.get(name, "") for name in known.labels)
            found[short, labels] = point.value
    provider.shutdown()

    assert found == EXPECTED


def test_opentelemetry_takes_the_applications_meter_if_none_is_given(busy_tracker):
    pytest.importorskip("opentelemetry.metrics")

    observe(busy_tracker)


def test_what_was_submitted_is_what_ended_and_what_is_held(busy_tracker):
    stats = busy_tracker.stats()
    sums = {metric.name: sum(n for _, n in metric.read(stats)) for metric in METRICS}

    assert sums["hits_submitted"] == sums["hits_ended"] + sums["hits_held"]
