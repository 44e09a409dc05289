"""What can be tracked: hits, and the context of a hit.

All are frozen values, complete when they are made, and go to JSON and back
(`encode_hits`, `decode_hits`), so that a sender can keep them on disk or hand
them to another process.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any, Literal
from uuid import UUID

import msgspec

__all__ = [
    "BrowserIds",
    "Campaign",
    "Consent",
    "Context",
    "Device",
    "Event",
    "ExceptionHit",
    "Hit",
    "Item",
    "Page",
    "PageView",
    "ProductAction",
    "Purchase",
    "Refund",
    "ScreenView",
    "Session",
    "Social",
    "Timing",
    "Visitor",
    "decode_hits",
    "encode_hits",
    "new_hit_id",
]

Scalar = str | int | float | bool | None


def new_hit_id() -> UUID:
    """Make a random UUID (version 4)."""
    # uuid.uuid4() costs 2 µs, this 0.9: every request makes one.
    number = secrets.randbits(128) & ~(0xF000 << 64) & ~(0xC000 << 48)
    return UUID(int=number | 4 << 76 | 0x8000 << 48)


class BrowserIds(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the tag of a *system* in the browser calls the visitor and the visit.

    *account* tells apart what has an id of its own: property, site, project. *session*
    is None where the tag has no visit that goes on, *session_number* 0 where unknown.
    """

    system: str
    account: str
    visitor: str
    session: int | str | None = None
    session_number: int = 0


class Visitor(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who: a random *client_id*, and *user_id* if the site has told it.

    *client_id* has the form of Google's own, ``<random>.<unix seconds of the first
    visit>``, which every system accepts. *browser_ids* are those that systems' own
    tags have given the visitor, if the site adopts them.
    """

    client_id: str
    user_id: str | None = None
    is_new: bool = False
    browser_ids: tuple[BrowserIds, ...] = ()

    def known_to(self, system: str, account: str) -> BrowserIds | None:
        """Return the ids that the tag of *system* has given the visitor, if any."""
        for ids in self.browser_ids:
            if ids.system == system and ids.account == account:
                return ids
        return None


class Session(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which visit: *id* is its start in Unix seconds, *number* counts from 1.

    *engagement_ms* is the time since the visitor's previous page view that is
    reported with this one, in milliseconds, at least 1.
    """

    id: int
    number: int = 1
    engagement_ms: int = 1
    is_new: bool = False


class Page(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where: the public URL without personal data, and its parts.

    *route* is the framework's pattern (``/user/<id>``), *encoding* the charset of
    the document.
    """

    url: str | None = None
    host: str | None = None
    path: str | None = None
    title: str | None = None
    referrer: str | None = None
    route: str | None = None
    encoding: str | None = None


class Campaign(msgspec.Struct, frozen=True, omit_defaults=True):
    """What brought the visitor: the utm parameters and click ids of the URL."""

    source: str | None = None
    medium: str | None = None
    name: str | None = None
    term: str | None = None
    content: str | None = None
    id: str | None = None
    click_ids: Mapping[str, str] = msgspec.field(default_factory=dict)


class Device(msgspec.Struct, frozen=True, omit_defaults=True):
    """With what: user agent, preferred language (BCP 47), and the screen if known.

    Sizes are written ``1920x1080``; *screen_colors* is a depth such as ``24-bit``.
    """

    user_agent: str | None = None
    language: str | None = None
    screen_resolution: str | None = None
    viewport_size: str | None = None
    screen_colors: str | None = None


class Consent(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the visitor allows, as it was when the hit was made.

    *analytics* is None while the visitor has not decided. Without *reuse*, systems
    that use data for ends of their own are told nothing.
    """

    analytics: bool | None = None
    ad_user_data: bool = False
    ad_personalization: bool = False
    reuse: bool = True


class Context(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who, where and how of a hit. *address* is already anonymous, or None."""

    visitor: Visitor
    session: Session
    page: Page = Page()
    campaign: Campaign = Campaign()
    device: Device = Device()
    address: str | None = None
    consent: Consent = Consent()


class Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One product in a purchase, refund or product action.

    *category* may name up to five levels separated by ``/``; *position* counts
    from 1. *id* or *name* is needed.
    """

    id: str | None = None
    name: str | None = None
    brand: str | None = None
    category: str | None = None
    variant: str | None = None
    price: Decimal | None = None
    quantity: int = 1
    coupon: str | None = None
    position: int | None = None


class _Tracked(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="hit"
):
    """What all hits carry.

    *time* is in Unix seconds. *params* are the site's own properties; *extra* maps
    a system's name to raw wire parameters that are merged last into its payload.
    """

    context: Context
    id: UUID = msgspec.field(default_factory=new_hit_id)
    time: float = msgspec.field(default_factory=time.time)
    params: Mapping[str, Scalar] = msgspec.field(default_factory=dict)
    extra: Mapping[str, Mapping[str, Any]] = msgspec.field(default_factory=dict)


class PageView(_Tracked, frozen=True, kw_only=True, omit_defaults=True, tag="pageview"):
    """A page was shown: `context.page` says which.

    *server_ms* is the time the server took for the answer, in milliseconds.
    """

    server_ms: float | None = None


class ScreenView(
    _Tracked, frozen=True, kw_only=True, omit_defaults=True, tag="screenview"
):
    """A screen of an application was shown."""

    name: str


class Event(_Tracked, frozen=True, kw_only=True, omit_defaults=True, tag="event"):
    """Something happened. *non_interaction* keeps it from counting as engagement."""

    category: str
    action: str | None = None
    label: str | None = None
    value: float | None = None
    non_interaction: bool = False


class ExceptionHit(
    _Tracked, frozen=True, kw_only=True, omit_defaults=True, tag="exception"
):
    """An error happened; *fatal* if the visitor got no useful answer."""

    description: str | None = None
    fatal: bool = True


class Timing(_Tracked, frozen=True, kw_only=True, omit_defaults=True, tag="timing"):
    """Something took *value* milliseconds."""

    category: str
    variable: str
    value: float
    label: str | None = None


class Social(_Tracked, frozen=True, kw_only=True, omit_defaults=True, tag="social"):
    """A visitor did *action* (like, share) with *target* on *network*."""

    network: str
    action: str
    target: str


class Purchase(_Tracked, frozen=True, kw_only=True, omit_defaults=True, tag="purchase"):
    """An order. *revenue* is its total with *tax* and *shipping*; ISO 4217 *currency*.

    *revenue* may be left out: systems then get the sum of the items.
    """

    transaction_id: str
    items: tuple[Item, ...] = ()
    revenue: Decimal | None = None
    tax: Decimal | None = None
    shipping: Decimal | None = None
    currency: str | None = None
    coupon: str | None = None
    affiliation: str | None = None


class Refund(_Tracked, frozen=True, kw_only=True, omit_defaults=True, tag="refund"):
    """An order was paid back: wholly without *items*, else these items."""

    transaction_id: str
    items: tuple[Item, ...] = ()
    revenue: Decimal | None = None
    tax: Decimal | None = None
    shipping: Decimal | None = None
    currency: str | None = None
    coupon: str | None = None
    affiliation: str | None = None


ProductStep = Literal[
    "impression",
    "click",
    "view",
    "add",
    "remove",
    "checkout",
    "promotion_view",
    "promotion_click",
]


class ProductAction(
    _Tracked, frozen=True, kw_only=True, omit_defaults=True, tag="product_action"
):
    """A visitor looked at, clicked, added or removed *items*, or went to checkout.

    *list_name* names the list for ``impression`` and ``click``; *step* (from 1) and
    *option* belong to ``checkout``; ``promotion_view`` and ``promotion_click`` take
    each item as a promotion (id, name, position).
    """

    action: ProductStep
    items: tuple[Item, ...] = ()
    list_name: str | None = None
    step: int | None = None
    option: str | None = None
    currency: str | None = None


Hit = (
    PageView
    | ScreenView
    | Event
    | ExceptionHit
    | Timing
    | Social
    | Purchase
    | Refund
    | ProductAction
)


def encode_hits(hits: Iterable[Hit]) -> bytes:
    """Write *hits* as a JSON array.

    Raises `ValueError` or `TypeError` for what JSON cannot carry: lone surrogates,
    objects among *params* or *extra*.
    """
    return msgspec.json.encode(list(hits), enc_hook=_plain)


def _plain(value: object) -> str:
    if isinstance(value, str):  # of a class of its own, as template engines make it
        return str.__str__(value)
    raise TypeError(f"A hit cannot carry a {type(value).__name__}.")


def decode_hits(data: bytes) -> list[Hit]:
    """Read what `encode_hits` wrote. Raises `ValueError` for anything else."""
    return _decoder().decode(data)


@cache
def _decoder() -> msgspec.json.Decoder[list[Hit]]:
    return msgspec.json.Decoder(list[Hit])  # takes 4 ms to make, and few read hits
