"""Blueprints: where the site's script says what the visitor decided, and own people."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, request
from werkzeug import Response

from server_tracking.consent_endpoint import ConsentWSGI
from server_tracking.own_cookie import OwnCookie
from server_tracking_flask.extension import ServerTracking

__all__ = ["consent", "own"]

consent = Blueprint("server_tracking", __name__, url_prefix="/consent")


@consent.route("", methods=["GET", "POST"])
def decide() -> Response:
    """Answer with the script, or keep a decision; see `ConsentWSGI`."""
    return Response.from_app(ConsentWSGI(ServerTracking().tracker), request.environ)


def own(permission: Callable[[], bool]) -> Blueprint:
    """Make a blueprint, at ``/own``, that marks the site's own people.

    *permission* says whether the user at work is one of them, such as
    ``lambda: current_user.is_authenticated``; see `OwnCookie`.
    """
    blueprint = Blueprint("server_tracking_own", __name__, url_prefix="/own")

    @blueprint.post("")
    def mark() -> Response:
        cookie = OwnCookie(ServerTracking().tracker, lambda _: permission())
        return Response.from_app(cookie.wsgi, request.environ)

    return blueprint
