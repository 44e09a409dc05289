"""Django with its adapter; the same settings and views under WSGI and ASGI."""

import django
from django.conf import settings
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path
from shop import ROUTES, tracker

settings.configure(
    SECRET_KEY="a secret key for Django's tests",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["server_tracking_django"],
    MIDDLEWARE=["server_tracking_django.middleware.PageViewMiddleware"],
    SERVER_SIDE_TRACKING=tracker,
    LOGGING_CONFIG=None,
)
django.setup()


def view_of(handler):
    def view(request):
        status, headers, pieces = handler()
        if len(pieces) > 1:
            return StreamingHttpResponse(stream(request, pieces), headers=headers)
        return HttpResponse(b"".join(pieces), status=status, headers=headers)

    return view


def stream(request, pieces):
    async def streamed():
        for piece in pieces:
            yield piece

    return streamed() if hasattr(request, "scope") else iter(pieces)


urlpatterns = [path(url[1:], view_of(handler)) for _, _, url, handler in ROUTES]
