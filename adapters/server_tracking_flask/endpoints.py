"""consent: a blueprint where the site's script says what the visitor decided."""

from __future__ import annotations

from flask import Blueprint, request
from werkzeug import Response

from server_tracking.consent_endpoint import ConsentWSGI
from server_tracking_flask.extension import ServerTracking

__all__ = ["consent"]

consent = Blueprint("server_tracking", __name__, url_prefix="/consent")


@consent.route("", methods=["GET", "POST"])
def decide() -> Response:
    """Answer with the script, or keep a decision; see `ConsentWSGI`."""
    return Response.from_app(ConsentWSGI(ServerTracking().tracker), request.environ)
