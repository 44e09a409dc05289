"""One well-behaved hit of each kind, to try systems and senders with."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, get_args
from uuid import UUID

from server_tracking.hits import (
    Campaign,
    Consent,
    Context,
    Device,
    Event,
    ExceptionHit,
    Hit,
    Item,
    Page,
    PageView,
    ProductAction,
    Purchase,
    Refund,
    ScreenView,
    Session,
    Social,
    Timing,
    Visitor,
)

__all__ = ["NOW", "sample_context", "sample_hits"]

NOW = 1_790_000_100.0
"""The moment of the samples, in Unix seconds: 2026-09-21."""

_FERN = Item(
    id="FERN-1",
    name="Boston fern",
    brand="Greenery",
    category="Plants/Indoor",
    variant="12 cm",
    price=Decimal("19.50"),
    quantity=2,
    position=1,
)
_POT = Item(id="POT-7", name="Clay pot", price=Decimal("4.00"), position=2)


def sample_context() -> Context:
    """Make the context of a visitor who agreed, on a page, from a campaign."""
    return Context(
        visitor=Visitor("1234567890.1780000000", is_new=False),
        session=Session(id=1_790_000_000, number=3, engagement_ms=12_000),
        page=Page(
            url="https://example.com/plants/fern?utm_source=newsletter",
            host="example.com",
            path="/plants/fern",
            title="Boston fern",
            referrer="https://www.example.org/links",
            route="/plants/<slug>",
            encoding="utf-8",
        ),
        campaign=Campaign(source="newsletter", medium="email", name="spring"),
        device=Device(
            user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 "
            "Firefox/140.0",
            language="en-GB",
            screen_resolution="1920x1080",
            viewport_size="1200x800",
            screen_colors="24-bit",
        ),
        address="203.0.113.0",
        consent=Consent(analytics=True),
    )


def sample_hits(*kinds: type[Hit]) -> list[Hit]:
    """Make one hit of each kind, or of the *kinds* named."""
    context = sample_context()

    def common(number: int) -> dict[str, Any]:
        return {"context": context, "id": UUID(int=number), "time": NOW - 5}

    hits: list[Hit] = [
        PageView(**common(1), server_ms=42.5),
        ScreenView(**common(2), name="Basket"),
        Event(
            **common(3),
            category="Basket",
            action="Add",
            label="Boston fern",
            value=19.5,
            params={"size": "12 cm"},
        ),
        ExceptionHit(**common(4), description="LookupError"),
        Timing(
            **common(5),
            category="Search",
            variable="catalogue",
            value=81.0,
        ),
        Social(
            **common(6),
            network="mastodon",
            action="share",
            target="https://example.com/plants/fern",
        ),
        Purchase(
            **common(7),
            transaction_id="T-1001",
            items=(_FERN, _POT),
            revenue=Decimal("47.90"),
            tax=Decimal("7.65"),
            shipping=Decimal("4.90"),
            currency="EUR",
            coupon="SPRING",
            affiliation="Web shop",
        ),
        Refund(**common(8), transaction_id="T-1001"),
        ProductAction(
            **common(9),
            action="add",
            items=(_FERN,),
            currency="EUR",
        ),
    ]
    wanted = kinds or get_args(Hit)
    return [hit for hit in hits if type(hit) in wanted]
