"""The pages, and what the tracking scripts talk to."""

from django.urls import include, path

from garden import views

urlpatterns = [
    path("", views.PlantsView.as_view(), name="plants"),
    path("plants/<slug:slug>/", views.PlantView.as_view(), name="plant"),
    path("basket/", views.BasketView.as_view(), name="basket"),
    path("care/", views.care, name="care"),
    path("tracking/", include("server_tracking_django.urls")),
]
