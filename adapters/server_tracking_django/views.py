"""What the site's own scripts talk to: the ping, consent, and the site's own people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import View

from server_tracking import Request, Response
from server_tracking.messages import (
    CONSENT_ACTIONS,
    consent_cookies,
    is_same_origin,
    track_ping,
)
from server_tracking.observation import guarded
from server_tracking.own_cookie import UNMARK
from server_tracking_django.conf import get_configuration, get_tracker
from server_tracking_django.shell import neutral_request

__all__ = ["AnalyticsSessionParameterView", "ConsentView", "OwnCookieView"]


class _SameOriginView(View):
    """Answer only what comes from a page of the site."""

    neutral: Request

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        rule = get_tracker().extractor.address_rule
        self.neutral = neutral_request(request, rule)
        if not is_same_origin(self.neutral):
            return HttpResponse(status=403)
        return super().dispatch(request, *args, **kwargs)


# Pages from a cache have no CSRF token. A browser says itself where a request is from,
# and no script can change that: Sec-Fetch-Site, or Origin.
@method_decorator((csrf_exempt, never_cache), "dispatch")
class AnalyticsSessionParameterView(_SameOriginView):
    """Take the sizes of screen (``r``) and viewport (``v``), and the colours (``c``).

    Each ping is an event of the names in ``SERVER_SIDE_TRACKING_GA``, on the page that
    the browser shows.
    """

    http_method_names = ["get", "post"]

    def get(self, request: HttpRequest) -> HttpResponse:
        """Take a ping in the query, as scripts made for 1.0 send it."""
        return self._take(request.GET.dict())

    def post(self, request: HttpRequest) -> HttpResponse:
        """Take a ping in a form."""
        return self._take(request.POST.dict())

    def _take(self, told: dict[str, Any]) -> HttpResponse:
        configuration = get_configuration()
        tracker, ping = configuration.tracker, configuration.ping
        head = Response(204)
        guarded(tracker, False, track_ping, tracker, ping, self.neutral, head, told)
        return _empty(cookie for _, cookie in head.headers)


@method_decorator((csrf_exempt, never_cache), "dispatch")
class ConsentView(_SameOriginView):
    """Take what the visitor decides: ``action`` is accept, refuse or withdraw."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        """Keep the decision, and the id that it allows or forbids."""
        action = request.POST.get("action")
        if action not in CONSENT_ACTIONS:
            return HttpResponse(status=400)
        tracker = get_tracker()
        cookies: list[str] = []
        return _empty(
            guarded(tracker, cookies, consent_cookies, tracker, self.neutral, action)
        )


@method_decorator(never_cache, "dispatch")
class OwnCookieView(_SameOriginView):
    """Mark a browser of the site's staff, which is not tracked from then on.

    Only users with `is_staff` may; with the query ``?unmark`` anybody takes the mark
    away again. Django's protection from forged forms applies.
    """

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        """Set the mark, or take it away."""
        if self.neutral.query == UNMARK:
            return _empty([get_tracker().own_cookie(self.neutral, marked=False)])
        user = getattr(request, "user", None)
        if user is None or not (user.is_active and user.is_staff):
            return HttpResponse(status=403)
        return _empty([get_tracker().own_cookie(self.neutral)])


def _empty(cookies: Iterable[str]) -> HttpResponse:
    response = HttpResponse(status=204)
    for cookie in cookies:
        response.cookies.load(cookie)
    return response
