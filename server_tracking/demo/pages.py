"""The pages of the example shop: text in, text out, no framework."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import parse_qs

from server_tracking.demo.pictures import PICTURES

__all__ = ["PLANTS", "Answer", "Plant", "answer_to", "basket_choice", "bug_page"]


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
_HTML = ("Content-Type", "text/html; charset=utf-8")
_STYLE = """
:root { --ink: #1f3329; --soft: #55665c; --leaf: #2b7549; --paper: #f7f5ee;
  --line: #dcd8ca }
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: flex; flex-direction: column;
  font: 17px/1.6 system-ui, sans-serif; color: var(--ink); background: var(--paper) }
a { color: inherit }
body > header, body > footer { display: flex; flex-wrap: wrap; gap: .5rem 1.4rem;
  align-items: center; padding: 1rem max(1rem, 50vw - 29rem) }
body > header { border-bottom: 1px solid var(--line) }
body > footer { border-top: 1px solid var(--line); color: var(--soft);
  font-size: .9rem }
header a { text-decoration: none }
header a:hover { color: var(--leaf) }
header b { font: 600 1.5rem/1 Georgia, serif; margin-right: .6rem }
header form { flex: 1 1 13rem }
@media (min-width: 34rem) { header form { flex-grow: 0; margin-left: auto } }
main { flex: 1; width: 100%; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font: 400 2.3rem/1.2 Georgia, serif; margin: 0 0 1.2rem }
.shelf { display: grid; gap: 1rem; grid-template-columns: repeat(2, 1fr) }
@media (min-width: 48rem) { .shelf { grid-template-columns: repeat(4, 1fr) } }
.card { padding: 1.2rem; background: #fff; border: 1px solid var(--line);
  border-radius: 14px; text-decoration: none }
a.card:hover { border-color: var(--leaf) }
.card i, .note { color: var(--soft) }
.picture { max-width: 8.5rem; margin-bottom: .8rem }
.picture svg { display: block }
button, input { font: inherit; padding: .4rem .9rem; border-radius: 9px;
  border: 1px solid var(--line); background: #fff; color: inherit }
input { width: 100% }
button { cursor: pointer; background: var(--leaf); border-color: var(--leaf);
  color: #fff }
button.plain { background: #fff; color: var(--ink); border-color: var(--line) }
button.link { padding: 0; border: 0; background: none; color: inherit;
  text-decoration: underline }
:focus-visible { outline: 3px solid #f0b429; outline-offset: 2px }
#consent { position: sticky; bottom: 1rem; margin: auto 1rem 1rem; display: flex;
  flex-wrap: wrap; gap: .7rem; align-items: center; padding: 1rem 1.2rem;
  background: #fff; border: 1px solid var(--line); border-radius: 14px;
  box-shadow: 0 8px 30px #0003 }
#consent[hidden] { display: none } #consent span { flex: 1 1 20rem }
#consent div { display: flex; gap: .6rem; flex: 1 1 auto }
#consent button { flex: 1 1 auto; padding: .4rem .7rem; white-space: nowrap }
@media (min-width: 48rem) {
  #consent { align-self: center; max-width: 50rem }
  #consent div { flex: none }
}
"""
_CONSENT = """
<div id="consent" role="region" aria-label="Your privacy" hidden><span>May we
remember you beyond this visit, to count returning visitors? Until you say yes, a
cookie lasts only as long as your browser is open.</span>
<div><button data-say="accept" class="plain">Remember me</button>
<button data-say="refuse" class="plain">Do not count me</button></div></div>
<script>
const bar = document.getElementById("consent");
const decided = document.cookie.match(/(?:^|; )cookie_status=(.)/)?.[1];
bar.hidden = decided !== undefined;
document.getElementById("choice").textContent =
  {0: "You are not counted.", 1: "You are remembered."}[decided] ?? "";
document.getElementById("privacy").addEventListener("click", () => {
  bar.hidden = false;
  bar.querySelector("button").focus();
});
bar.addEventListener("click", event => {
  const say = event.target.dataset.say;
  if (!say) return;
  document.cookie = `cookie_action=${say}; path=/; max-age=60; samesite=lax`;
  location.reload();
});
</script>
"""
_ICON = (
    "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>"
    "<path d='M2 14Q2 2 14 2Q14 14 2 14' fill='%232b7549'/></svg>"
)


def answer_to(method: str, path: str, query: str) -> Answer:
    """Answer a request of the shop; raises for ``/broken``, as a page with a bug."""
    place, _, rest = path.strip("/").partition("/")
    make = _PLACES.get((method, place), _nowhere)
    return make(rest, query)


def basket_choice(form: bytes) -> Plant | None:
    """Read which plant a form names."""
    slug = parse_qs(form.decode("utf-8", "replace")).get("plant", [""])[0]
    return PLANTS.get(slug)


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
        f"<button>Put into the basket</button></form></div>",
    )


def _search(_rest: str, query: str) -> Answer:
    words = parse_qs(query).get("q", [""])[0]
    found = [
        plant
        for plant in PLANTS.values()
        if words.casefold() in f"{plant.name} {plant.latin}".casefold()
    ]
    cards = "".join(map(_card, found)) or "<p>Nothing of that name.</p>"
    note = f'<p class="note">For “{html.escape(words)}”</p>'
    return _page("Search", f'{note}<div class="shelf">{cards}</div>')


def _basket(_rest: str, _query: str) -> Answer:
    return _page("Your basket", "<p>It is on its way to you already.</p>")


def _filled_basket(_rest: str, _query: str) -> Answer:
    return Answer("303 See Other", [("Location", "/basket")], [b""])


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
        f'<link rel="icon" href="{_ICON}"><style>{_STYLE}</style></head><body><header>'
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
        "there</a><span id='choice'></span><button id='privacy' class='link'>Privacy"
        f"</button></footer>{_CONSENT}</body></html>"
    )


def _card(plant: Plant) -> str:
    return (
        f'<a class="card" href="/plants/{plant.slug}"><div class="picture">'
        f"{PICTURES[plant.slug]}</div><b>{plant.name}</b><br><i>{plant.latin}</i><br>"
        f"€ {plant.price:.2f}</a>"
    )
