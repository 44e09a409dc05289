"""Our own calls are not seen by what watches the site's calls, and carry nothing of it."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

SENDERS = {
    "inline": "InlineSender()",
    "requests": "ThreadSender(transport='requests')",
    "curl": "ThreadSender(transport='curl')",
}

PRELUDE = """
import json, sys
import requests
from server_tracking.hits import PageView
from server_tracking.senders.inline import InlineSender
from server_tracking.senders.thread import ThreadSender
from server_tracking.systems import GoogleAnalytics4
from server_tracking.testing import Collector, sample_context

def send(sender, collector):
    url = f"http://127.0.0.1:{collector.port}/ours"
    sender.bind([GoogleAnalytics4("G-XXXX", "s3cr3t", endpoint=url)])
    sender.send(PageView(context=sample_context()))
    assert sender.flush(10)
    sender.close(1)

def serve(sender):
    # A request of the site: a call of its own before and after ours.
    with Collector() as collector:
        own = f"http://127.0.0.1:{collector.port}/theirs"
        requests.get(own)
        send(sender, collector)
        requests.get(own)
        return {
            name: [seen.headers for seen in collector.requests if name in seen.target]
            for name in ("ours", "theirs")
        }
"""


@pytest.fixture(params=SENDERS)
def sender(request):
    if request.param == "curl" and not find_spec("pycurl"):
        pytest.skip("no pycurl")
    return SENDERS[request.param]


def run(script):
    """Run it in a process of its own, for such tools patch what they watch for good."""
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": ""},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


OPENTELEMETRY = """
from opentelemetry import trace
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

spans = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(provider)
RequestsInstrumentor().instrument()
URLLib3Instrumentor().instrument()
with trace.get_tracer("site").start_as_current_span("a request"):
    headers = serve(SENDER)
print(json.dumps({
    "spans": [str(dict(span.attributes)) for span in spans.get_finished_spans()],
    **headers,
}))
"""


@pytest.mark.parametrize("module", ["requests", "urllib3"])
def test_opentelemetry_sees_the_calls_of_the_site_and_not_ours(sender, module):
    pytest.importorskip("opentelemetry.sdk")
    pytest.importorskip(f"opentelemetry.instrumentation.{module}")

    told = run(OPENTELEMETRY.replace("SENDER", sender))

    assert any("/theirs" in span for span in told["spans"])
    assert not any("/ours" in span or "s3cr3t" in span for span in told["spans"])
    assert all("traceparent" in headers for headers in told["theirs"])
    assert len(told["ours"]) == 1
    assert not {"traceparent", "tracestate", "baggage"} & set(told["ours"][0])


SENTRY = """
import sentry_sdk
from sentry_sdk.transport import Transport

kept = []

class Keep(Transport):
    def capture_envelope(self, envelope):
        kept.extend(str(item.payload.json) for item in envelope.items)

sentry_sdk.init(
    dsn="http://public@127.0.0.1:9/1", transport=Keep, traces_sample_rate=1.0,
    release="1.2.3", environment="production",
)
with sentry_sdk.start_transaction(name="a request"):
    headers = serve(SENDER)
    sentry_sdk.capture_message("with breadcrumbs")
sentry_sdk.flush()
print(json.dumps({"kept": kept, **headers}))
"""


def test_sentry_sees_the_calls_of_the_site_and_not_ours(sender):
    """Else the secret in the URL is in a breadcrumb, and the release in our headers."""
    pytest.importorskip("sentry_sdk")

    told = run(SENTRY.replace("SENDER", sender))

    assert any("/theirs" in item and "breadcrumbs" in item for item in told["kept"])
    assert any("/theirs" in item and "spans" in item for item in told["kept"])
    assert not any("/ours" in item or "s3cr3t" in item for item in told["kept"])
    assert all("sentry-trace" in headers for headers in told["theirs"])
    assert len(told["ours"]) == 1
    assert not {"sentry-trace", "baggage"} & set(told["ours"][0])
