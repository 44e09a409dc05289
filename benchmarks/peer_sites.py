"""Other libraries, each around an application as its documentation says.

None of them does what a tracked page view is: most make one call of their client for
each request. `pip install -r benchmarks/peers.txt` brings them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from benchmarks.peers import PEERS
from benchmarks.sites import Site


class Client:
    """A client of an analytics service, called once in each request."""

    def __init__(self, name: str, url: str) -> None:
        self.client = PEERS[name](url, 100_000)
        self.number = 0

    def wrap(self, site: Site) -> Any:
        app = site.make(None)

        def wrapped(environ, start_response):
            self.number += 1
            self.client.send(self.number)
            return app(environ, start_response)

        async def awrapped(scope, receive, send):
            self.number += 1
            self.client.send(self.number)
            await app(scope, receive, send)

        return wrapped if site.gateway == "WSGI" else awrapped

    def flush(self) -> None:
        self.client.flush()

    def close(self) -> None:
        self.client.finish()


class OpenTelemetry:
    """Its WSGI and ASGI middleware; one span a request (two more under ASGI)."""

    def __init__(self, url: str) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        self.provider = TracerProvider()
        exporter = OTLPSpanExporter(endpoint=f"{url}/v1/traces")
        self.provider.add_span_processor(BatchSpanProcessor(exporter))

    def wrap(self, site: Site) -> Any:
        from opentelemetry.instrumentation import asgi, wsgi

        kind = wsgi if site.gateway == "WSGI" else asgi
        return kind.OpenTelemetryMiddleware(
            site.make(None), tracer_provider=self.provider
        )

    def flush(self) -> None:
        self.provider.force_flush()

    def close(self) -> None:
        self.provider.shutdown()


class Sentry:
    """sentry-sdk's WSGI and ASGI middleware; one transaction a request."""

    def __init__(self, url: str) -> None:
        import sentry_sdk

        self.sdk = sentry_sdk
        sentry_sdk.init(
            url.replace("//", "//made_up@") + "/1",
            traces_sample_rate=1.0,
            # They patch what the other variants use too.
            default_integrations=False,
            auto_enabling_integrations=False,
        )

    def wrap(self, site: Site) -> Any:
        from sentry_sdk.integrations.asgi import SentryAsgiMiddleware
        from sentry_sdk.integrations.wsgi import SentryWsgiMiddleware

        wsgi = site.gateway == "WSGI"
        return (SentryWsgiMiddleware if wsgi else SentryAsgiMiddleware)(site.make(None))

    def flush(self) -> None:
        self.sdk.flush()

    def close(self) -> None:
        self.sdk.get_client().close()


class Apitally:
    """apitally's middleware for Flask and Starlette: spans, again.

    What it does to FastAPI would meet all other variants too.
    """

    def __init__(self, url: str) -> None:
        os.environ["APITALLY_OTLP_ENDPOINT"] = url

    def wrap(self, site: Site) -> Any:
        if site.name not in ("Flask", "Starlette"):
            return None
        try:
            module = import_module(f"apitally.{site.name.lower()}")
        except ImportError:  # its own extras bring what it needs
            return None
        app = site.make(None)
        module.init(app, write_token=f"apt_{'a' * 24}", env="benchmark")
        return app

    def flush(self) -> None:
        from apitally.shared import activation

        if activation.span_processor is not None:
            activation.span_processor.force_flush()

    def close(self) -> None:
        from apitally.shared import activation

        activation.shutdown()


def _client(name: str) -> Callable[[str], Client]:
    return lambda url: Client(name, url)


_PEERS: dict[str, tuple[tuple[str, ...], Callable[[str], Any]]] = {
    "snowplow": (("snowplow_tracker",), _client("snowplow")),
    "segment": (("segment",), _client("segment")),
    "posthog": (("posthog",), _client("posthog")),
    "opentelemetry": (
        (
            "opentelemetry.sdk",
            "opentelemetry.exporter.otlp",
            "opentelemetry.instrumentation.wsgi",
            "opentelemetry.instrumentation.asgi",
        ),
        OpenTelemetry,
    ),
    "sentry": (("sentry_sdk",), Sentry),
    "apitally": (("apitally",), Apitally),
}


def missing_peers() -> list[str]:
    """Name the peers that are not installed."""
    return [name for name, (needed, _) in _PEERS.items() if not _are_here(needed)]


def peers_at(url: str) -> dict[str, Any]:
    """Make those that are installed; they deliver to the collector at *url*."""
    missing = missing_peers()
    return {
        name: make(url) for name, (_, make) in _PEERS.items() if name not in missing
    }


def _are_here(modules: tuple[str, ...]) -> bool:
    try:
        return all(map(find_spec, modules))
    except ModuleNotFoundError:  # of a parent
        return False
