"""Views of Django REST framework: their request wraps Django's."""

import pytest
from django.test import Client
from django.urls import path

from server_tracking_django.decorators import track_event
from tests.with_frameworks.sites_django import MIDDLEWARE, site

# isort: split
# It reads the settings when it is imported.
from rest_framework.decorators import api_view, renderer_classes
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet


class PlantView(APIView):
    renderer_classes = (JSONRenderer,)

    @track_event("Plant", "Read")
    def get(self, request):
        return Response({"fern": 4})


class PlantSet(ViewSet):
    renderer_classes = (JSONRenderer,)

    @track_event("Plant", "Read")
    def list(self, request):
        return Response({"fern": 4})


@api_view(["GET"])
@renderer_classes([JSONRenderer])
@track_event("Plant", "Read")
def plant(request):
    return Response({"fern": 4})


VIEWS = {
    "a view": PlantView.as_view(),
    "a view set": PlantSet.as_view({"get": "list"}),
    "a function": plant,
}


@pytest.mark.parametrize("middleware", [(), (MIDDLEWARE,)])
@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_a_decorated_view_is_an_event(tracker, sender, browser, view, middleware):
    with site(
        path("plants", view), middleware=middleware, SERVER_SIDE_TRACKING=tracker
    ):
        answer = Client(headers=browser).get("/plants")

    assert answer.json() == {"fern": 4}
    [event] = sender.hits
    assert (event.category, event.action) == ("Plant", "Read")
    assert event.context.page.path == "/plants"
    assert "vn" in answer.cookies
