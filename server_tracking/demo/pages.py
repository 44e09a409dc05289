"""The pages of the example shop: text in, text out, no framework."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import parse_qs

from server_tracking.demo.looks import CONSENT, ICON, STYLE
from server_tracking.demo.pictures import PICTURES

__all__ = [
    "PLANTS",
    "Answer",
    "Plant",
    "answer_to",
    "basket_choice",
    "bug_page",
    "order_in",
]


class Plant(NamedTuple):
    """Something to sell; *price* is in euros."""

    slug: str
    name: str
    latin: str
    price: float
    light: str


class Answer(NamedTuple):
    """What a page answers: a status line, headers, and its body in pieces."""

    status: str
    headers: list[tuple[str, str]]
    body: list[bytes] | Iterator[bytes]


PLANTS = {
    plant.slug: plant
    for plant in (
        Plant("fern", "Boston fern", "Nephrolepis exaltata", 19.5, "half shade"),
        Plant("fig", "Weeping fig", "Ficus benjamina", 34.0, "bright"),
        Plant("cactus", "Old lady", "Mammillaria hahniana", 12.0, "full sun"),
        Plant("monstera", "Swiss cheese", "Monstera deliciosa", 27.9, "bright"),
    )
}
_MOST = 20  # plants in a basket
_HTML = ("Content-Type", "text/html; charset=utf-8")


def answer_to(method: str, path: str, query: str, form: bytes = b"") -> Answer:
    """Answer a request of the shop; raises for ``/broken``, as a page with a bug."""
    place, _, rest = path.strip("/").partition("/")
    make = _PLACES.get((method, place), _nowhere)
    return make(rest, form.decode("utf-8", "replace") if method == "POST" else query)


def basket_choice(form: bytes) -> Plant | None:
    """Read which plant a form names."""
    return PLANTS.get(_field(form.decode("utf-8", "replace"), "plant"))


def order_in(form: bytes) -> list[Plant]:
    """Read which plants a form orders."""
    return _plants(_field(form.decode("utf-8", "replace"), "basket"))


def bug_page() -> Answer:
    """Say that something broke."""
    text = '<p>It was noted. <a href="/">Back to the plants</a></p>'
    return _page("Something went wrong", text, "500 Internal Server Error")


def _home(_rest: str, _query: str) -> Answer:
    cards = "".join(map(_card, PLANTS.values()))
    return _page("Plants for dark corners", f'<div class="shelf">{cards}</div>')


def _plant(rest: str, query: str) -> Answer:
    plant = PLANTS.get(rest)
    if plant is None:
        return _nowhere(rest, query)
    return _page(
        plant.name,
        f'<div class="card"><div class="picture">{PICTURES[plant.slug]}</div><p><i>{plant.latin}'
        f"</i> likes it {plant.light}. € {plant.price:.2f}</p><form method='post' "
        f"action='/basket'><input type='hidden' name='plant' value='{plant.slug}'>"
        f"<input type='hidden' name='basket'>"
        f"<button>Put into the basket</button></form></div>",
    )


def _search(_rest: str, query: str) -> Answer:
    words = _field(query, "q")
    found = [
        plant
        for plant in PLANTS.values()
        if words.casefold() in f"{plant.name} {plant.latin}".casefold()
    ]
    cards = "".join(map(_card, found)) or "<p>Nothing of that name.</p>"
    note = f'<p class="note">For “{html.escape(words)}”</p>'
    return _page("Search", f'{note}<div class="shelf">{cards}</div>')


def _basket(_rest: str, query: str) -> Answer:
    plants = _plants(_field(query, "plants"))
    if not plants:
        return _page("Your basket", "<p>There is nothing in it yet.</p>")
    rows = "".join(f"<tr><td>{p.name}<td>€ {p.price:.2f}" for p in plants)
    total = sum(plant.price for plant in plants)
    slugs = ",".join(plant.slug for plant in plants)
    return _page(
        "Your basket",
        f"<table data-basket='{slugs}'>{rows}<tr><td><b>Together</b><td><b>€ "
        f"{total:.2f}</b></table><form method='post' action='/checkout'><input "
        f"type='hidden' name='basket' value='{slugs}'><button>Buy it</button></form>",
    )


def _filled_basket(_rest: str, form: str) -> Answer:
    plants = [*_plants(_field(form, "basket")), *_plants(_field(form, "plant"))]
    slugs = ",".join(plant.slug for plant in plants[:_MOST])
    return Answer("303 See Other", [("Location", f"/basket?plants={slugs}")], [b""])


def _checkout(_rest: str, _form: str) -> Answer:
    return Answer("303 See Other", [("Location", "/thanks")], [b""])


def _thanks(_rest: str, _query: str) -> Answer:
    return _page("Thank you", "<p data-basket=''>It is on its way to you already.</p>")


def _field(form: str, name: str) -> str:
    return parse_qs(form).get(name, [""])[0]


def _plants(slugs: str) -> list[Plant]:
    return [PLANTS[slug] for slug in slugs.split(",")[:_MOST] if slug in PLANTS]


def _care(_rest: str, _query: str) -> Answer:
    return Answer("200 OK", [_HTML], _care_in_pieces())


def _care_in_pieces() -> Iterator[bytes]:
    yield _head("How to keep them alive").encode()
    yield b"<h1>How to keep them alive</h1><ol>"
    for step in ("Light first.", "Then water, less than you think.", "Then patience."):
        yield f"<li>{step}</li>".encode()
    yield f"</ol>{_foot()}".encode()


def _stock(_rest: str, _query: str) -> Answer:
    stock = b'{"fern": 4, "fig": 2, "cactus": 11, "monstera": 0}'
    return Answer("200 OK", [("Content-Type", "application/json")], [stock])


def _broken(rest: str, _query: str) -> Answer:
    raise LookupError(rest)


def _nowhere(_rest: str, _query: str) -> Answer:
    return _page("No such page", "<p>Nothing grows here.</p>", "404 Not Found")


_PLACES: dict[tuple[str, str], Callable[[str, str], Answer]] = {
    ("GET", ""): _home,
    ("GET", "plants"): _plant,
    ("GET", "search"): _search,
    ("GET", "basket"): _basket,
    ("POST", "basket"): _filled_basket,
    ("POST", "checkout"): _checkout,
    ("GET", "thanks"): _thanks,
    ("GET", "care"): _care,
    ("GET", "stock.json"): _stock,
    ("GET", "broken"): _broken,
}


def _page(title: str, main: str, status: str = "200 OK") -> Answer:
    text = f"{_head(title)}<h1>{html.escape(title)}</h1>{main}{_foot()}"
    return Answer(status, [_HTML], [text.encode()])


def _head(title: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(title)} | Fern &amp; Fig</title>"
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="{ICON}"><style>{STYLE}</style></head><body><header>'
        f"<a href='/'><b>Fern &amp; Fig</b></a><a href='/care'>Care</a>"
        f"<a href='/basket'>Basket</a><form action='/search'><input name='q' "
        f"type='search' placeholder='Search plants' aria-label='Search plants'></form>"
        f"</header><main>"
    )


def _foot() -> str:
    return (
        "</main><footer><span>Try:</span><a href='/?utm_source=newsletter&amp;"
        "utm_medium=email&amp;utm_campaign=spring'>a link from our newsletter</a>"
        "<a href='/broken'>a page with a bug</a><a href='/nowhere'>a page that is not "
        "there</a><span id='choice'></span><button id='withdraw' "
        "data-say='withdraw' class='link' hidden>Withdraw</button><button id='privacy' class='link'>Privacy"
        f"</button></footer>{CONSENT}</body></html>"
    )


def _card(plant: Plant) -> str:
    return (
        f'<a class="card" href="/plants/{plant.slug}"><div class="picture">'
        f"{PICTURES[plant.slug]}</div><b>{plant.name}</b><br><i>{plant.latin}</i><br>"
        f"€ {plant.price:.2f}</a>"
    )
