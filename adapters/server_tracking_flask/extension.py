"""ServerTracking: one extension for any number of Flask applications."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from flask import (
    Flask,
    current_app,
    g,
    got_request_exception,
    has_app_context,
    request,
    request_started,
    template_rendered,
)

from server_tracking import ConfigurationError, Tracker, current
from server_tracking.configuration import tracker_from
from server_tracking.wsgi import TrackingMiddleware
from server_tracking_flask.commands import commands_for

__all__ = ["ServerTracking", "noted_title"]

EXTENSION = "server_tracking"


class ServerTracking:
    """Track the page views and events of Flask applications.

    The application's ``SERVER_SIDE_TRACKING`` holds the options,
    ``SERVER_SIDE_TRACKING_GA`` a property of Google Analytics; a *tracker* that is
    given takes the place of both. Raises `ConfigurationError` for wrong options.
    With ``TESTING`` set before, hits are kept and not sent.
    """

    def __init__(
        self, app: Flask | None = None, tracker: Tracker | None = None
    ) -> None:
        self._given = tracker
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Track *app*; the outermost of what wraps its ``wsgi_app`` so far."""
        if EXTENSION in app.extensions:
            raise ConfigurationError(
                f"The Flask application {app.name!r} is tracked already."
            )
        options = dict(app.config.get("SERVER_SIDE_TRACKING") or {})
        variable = options.pop("flask_title_variable", "title")
        tracker = self._given or tracker_from(
            options, app.config.get("SERVER_SIDE_TRACKING_GA"), _defaults(app)
        )
        app.extensions[EXTENSION] = (tracker, variable)
        app.wsgi_app = TrackingMiddleware(app.wsgi_app, tracker)  # type: ignore[method-assign]
        app.cli.add_command(commands_for(tracker))
        # Other hooks may keep those of `before_request` from running; signals come
        # always (rycus86/prometheus_flask_exporter#14).
        request_started.connect(_note_route, app)
        template_rendered.connect(_note_title, app)
        got_request_exception.connect(_note_error, app)

    @property
    def tracker(self) -> Tracker:
        """The tracker of the application at work, for hits outside of requests."""
        if not has_app_context() or EXTENSION not in current_app.extensions:
            raise ConfigurationError("No Flask application that is tracked is at work.")
        tracker: Tracker = current_app.extensions[EXTENSION][0]
        return tracker


def noted_title() -> str | None:
    """Return the title that the last template of this request was given."""
    title: str | None = g.get("server_tracking_title") if has_app_context() else None
    return title


def _note_route(_app: Flask, **_: object) -> None:
    here = current()
    rule = request.url_rule  # read once: the way to it takes 0.5 µs
    if here is not None and rule is not None:
        here.note(route=rule.rule)


def _note_title(app: Flask, context: Mapping[str, Any], **_: object) -> None:
    given = context.get(app.extensions[EXTENSION][1])
    if not given:
        return
    title = str(given)  # translations are strings only when they are asked
    g.server_tracking_title = title
    here = current()
    if here is not None:
        here.note(title=title)


def _note_error(_app: Flask, exception: BaseException, **_: object) -> None:
    # Flask makes an answer of it, below what wraps the application.
    here = current()
    if here is not None:
        here.fail(exception)


def _defaults(app: Flask) -> dict[str, Any]:
    """Say what Flask knows better than the library."""
    keys = (app.secret_key, *(app.config.get("SECRET_KEY_FALLBACKS") or ()))
    defaults: dict[str, Any] = {
        "secret_key": tuple(
            key.decode("latin-1") if isinstance(key, bytes) else key
            for key in keys
            if key
        )
    }
    if app.testing:
        defaults["strict"] = True
        if os.environ.get("SERVER_TRACKING_ALLOW_SEND") != "1":
            from server_tracking.testing import RecordingSender

            defaults["sender"] = RecordingSender()
    return defaults
