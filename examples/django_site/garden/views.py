"""Pages with a title of their own, a basket with events, and an async view."""

from django.http import Http404
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.generic import TemplateView, View

from server_tracking_django.decorators import track_event

PLANTS = {
    "fern": ("Boston fern", "Likes shade and a damp room.", 19.5),
    "monstera": ("Monstera", "Forgives a holiday or two.", 34),
    "cactus": ("Golden barrel cactus", "Water it when you remember.", 12),
}


def plants():
    """Return all plants by their slugs."""
    keys = ("slug", "name", "text", "price")
    return {
        slug: dict(zip(keys, (slug, *plant), strict=True))
        for slug, plant in PLANTS.items()
    }


class PlantsView(TemplateView):
    """All plants. The title of the page view is an attribute of the view."""

    title = "Plants"
    template_name = "plants.html"

    def get_context_data(self, **kwargs):
        """Give the template all plants."""
        return super().get_context_data(plants=plants(), **kwargs)


class PlantView(TemplateView):
    """One plant. The title is a variable of the template."""

    template_name = "plant.html"

    def get_context_data(self, slug, **kwargs):
        """Give the template the plant."""
        plant = plants().get(slug)
        if plant is None:
            raise Http404
        return super().get_context_data(plant=plant, title=plant["name"], **kwargs)


class BasketView(View):
    """What the visitor has chosen; adding to it is an event."""

    def get(self, request):
        """Show the basket."""
        chosen = [plants()[slug] for slug in request.session.get("basket", [])]
        context = {"title": "Basket", "chosen": chosen}
        return TemplateResponse(request, "basket.html", context)

    @track_event("Basket", "Add", value=lambda response: response.price)
    def post(self, request):
        """Put a plant into it."""
        slug = request.POST.get("plant")
        if slug not in PLANTS:
            raise Http404
        request.session["basket"] = [*request.session.get("basket", []), slug]
        response = redirect("basket")
        response.price = plants()[slug]["price"]
        return response


async def care(request):
    """Say how to care."""
    return TemplateResponse(request, "care.html", {"title": "How to care"})
