"""What each page of the parity journey answers, whatever framework serves it.

A site of this folder registers `ROUTES` with the router of its framework, and makes
the framework's own response of what a handler returns: status, headers, pieces. The
tracker is configured by the environment alone.
"""

from decimal import Decimal

from server_tracking import Item, Tracker, track_event

HTML = {"content-type": "text/html; charset=utf-8"}
CARE = ("<!doctype html><ti", "tle>How to ca", "re</title>", "<p>Water.")
FERN = Item(id="fern", name="Boston fern", price=Decimal("19.50"), quantity=2)

tracker = Tracker.from_env()


def home():
    return 200, HTML, [b"<!doctype html><title>Plants &amp; more</title><h1>Plants"]


def fern():
    return 200, HTML, ["<!doctype html><title>Boston fern, 日本</title>".encode()]


def care():
    return 200, HTML, [piece.encode() for piece in CARE]


@track_event("Basket", "Add", "fern", 19.5)
def basket():
    return 303, {"location": "/"}, []


def data():
    return 200, {"content-type": "application/json"}, [b'{"fern": 4}']


def order():
    tracker.purchase("T-1", [FERN], revenue=Decimal("39.00"), currency="EUR")
    return 200, HTML, [b"<!doctype html><title>Thanks</title>"]


ROUTES = (
    ("home", "GET", "/", home),
    ("fern", "GET", "/plants/fern", fern),
    ("care", "GET", "/care", care),
    ("basket", "POST", "/basket", basket),
    ("data", "GET", "/data.json", data),
    ("order", "POST", "/order", order),
)
BY_PATH = {(method, path): handler for _, method, path, handler in ROUTES}
