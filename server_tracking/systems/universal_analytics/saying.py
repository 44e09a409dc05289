"""What Universal Analytics is told of a hit: whole and uncut, in wire names.

The most important comes first, so that the least is lost where room is short.
"""

from __future__ import annotations

import decimal
from collections.abc import Iterator, Mapping
from typing import Any

from server_tracking.hits import (
    Context,
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
    Social,
    Timing,
)
from server_tracking.parameters import EnumeratedUrlGenerator, wire_texts
from server_tracking.systems.universal_analytics.constants import (
    EECOM_ACTION_ADD,
    EECOM_ACTION_CHECKOUT,
    EECOM_ACTION_CLICK,
    EECOM_ACTION_DETAIL,
    EECOM_ACTION_PURCHASE,
    EECOM_ACTION_REFUND,
    EECOM_ACTION_REMOVE,
    EECOM_PROMOTION_CLICK,
    EECOM_PROMOTION_VIEW,
    HIT_TYPE_EVENT,
    HIT_TYPE_EXCEPTION,
    HIT_TYPE_PAGEVIEW,
    HIT_TYPE_SCREENVIEW,
    HIT_TYPE_SOCIAL,
    HIT_TYPE_TIMING,
    INDEXES,
)
from server_tracking.systems.universal_analytics.parameters import (
    EnhancedEComGeneralParameters,
    EnhancedEComPIListParameters,
    EnhancedEComPIProductParameters,
    EnhancedEComProductParameters,
    EnhancedEComPromotionParameters,
)
from server_tracking.wire import hit_name, total_of

__all__ = ["ECOMMERCE_CATEGORY", "say"]

ECOMMERCE_CATEGORY = "Ecommerce"
"""Category of the events that orders and product actions ride on."""

_ACTIONS = {
    "click": EECOM_ACTION_CLICK,
    "view": EECOM_ACTION_DETAIL,
    "add": EECOM_ACTION_ADD,
    "remove": EECOM_ACTION_REMOVE,
    "checkout": EECOM_ACTION_CHECKOUT,
}
_PROMOTION_ACTIONS = {
    "promotion_view": EECOM_PROMOTION_VIEW,
    "promotion_click": EECOM_PROMOTION_CLICK,
}
# What a visitor has only been shown, and what the shop does later, says nothing of
# whether the visitor bounced.
_NON_INTERACTIONS = ("impression", "view", "promotion_view")

# Prices may be of any size, and infinite: what comes of them is checked afterwards.
_QUIET = decimal.Context(prec=60, traps=[])


class _ShownList(EnhancedEComPIListParameters):
    class Meta:
        index_prefix = 1


class _ShownProduct(EnhancedEComPIProductParameters):
    class Meta:
        index_prefix = 1


class _Promotion(EnumeratedUrlGenerator):
    promo_id = EnhancedEComPromotionParameters.parameters["promo_id"]
    name = EnhancedEComPromotionParameters.parameters["name"]
    position = EnhancedEComPromotionParameters.parameters["position"]

    class Meta:
        item_prefix = "promo"
        indexes = INDEXES


def say(
    hit: Hit,
    tracking_id: str,
    dimensions: Mapping[str, int],
    metrics: Mapping[str, int],
) -> dict[str, str]:
    """Say *hit* in wire names.

    *dimensions* and *metrics* map names among ``hit.params`` to indexes.
    """
    context = hit.context
    with decimal.localcontext(_QUIET):
        told = {
            **_general(hit, tracking_id),
            **_happened(hit),
            **_page(context.page),
            **_numbered("cd", dimensions, hit.params),
            **_numbered("cm", metrics, hit.params),
            **_session(context),
        }
        for product in _products(hit):
            told |= product
        return wire_texts(told)


def _general(hit: Hit, tracking_id: str) -> dict[str, Any]:
    visitor, consent = hit.context.visitor, hit.context.consent
    known = visitor.known_to("universal_analytics", tracking_id)
    return {
        "v": "1",
        "tid": tracking_id,
        "t": _type_of(hit),
        "aip": "1",
        "npa": None if consent.ad_personalization else "1",
        "cid": visitor.client_id if known is None else known.visitor,
        "uid": visitor.user_id,
    }


def _type_of(hit: Hit) -> str:
    match hit:
        case PageView():
            return HIT_TYPE_PAGEVIEW
        case ScreenView():
            return HIT_TYPE_SCREENVIEW
        case ExceptionHit():
            return HIT_TYPE_EXCEPTION
        case Timing():
            return HIT_TYPE_TIMING
        case Social():
            return HIT_TYPE_SOCIAL
    return HIT_TYPE_EVENT


def _happened(hit: Hit) -> dict[str, Any]:
    match hit:
        case PageView():
            return {}
        case ScreenView():
            return {"cd": hit.name}
        case Event():
            return _event(
                hit.category,
                # The protocol wants an action; the category is all that is known.
                hit.action or hit.category,
                hit.label,
                hit.value,
                non_interaction=hit.non_interaction,
            )
        case ExceptionHit():
            return {"exd": hit.description, "exf": hit.fatal}
        case Timing():
            return {
                "utc": hit.category,
                "utv": hit.variable,
                "utt": hit.value,
                "utl": hit.label,
            }
        case Social():
            return {"sn": hit.network, "sa": hit.action, "st": hit.target}
        case Purchase() | Refund():
            return _order(hit)
        case ProductAction():
            return _product_action(hit)


def _event(
    category: str,
    action: str,
    label: str | None = None,
    value: float | None = None,
    *,
    non_interaction: bool = False,
) -> dict[str, Any]:
    return {
        "ec": category,
        "ea": action,
        "el": label,
        "ev": value,  # a fraction is said whole here, and rounded to fit
        "ni": "1" if non_interaction else None,
    }


def _order(hit: Purchase | Refund) -> dict[str, Any]:
    refund = isinstance(hit, Refund)
    return {
        **_event(ECOMMERCE_CATEGORY, hit_name(hit), non_interaction=refund),
        **EnhancedEComGeneralParameters(
            product_action=EECOM_ACTION_REFUND if refund else EECOM_ACTION_PURCHASE,
            transaction_id=hit.transaction_id,
            affiliation=hit.affiliation,
            # What a refund comes to is known from the order and the items.
            revenue=hit.revenue if refund else total_of(hit),
            tax=hit.tax,
            shipping=hit.shipping,
            coupon_code=hit.coupon,
            currency_code=hit.currency,
        ).wire(),
    }


def _product_action(hit: ProductAction) -> dict[str, Any]:
    told = {
        **_event(
            ECOMMERCE_CATEGORY,
            hit_name(hit),
            non_interaction=hit.action in _NON_INTERACTIONS,
        ),
        **EnhancedEComGeneralParameters(
            product_action=_ACTIONS.get(hit.action),
            product_action_list=(
                hit.list_name if hit.action in ("click", "view") else None
            ),
            checkout_step=hit.step if hit.action == "checkout" else None,
            checkout_step_option=hit.option if hit.action == "checkout" else None,
            promotion_action=_PROMOTION_ACTIONS.get(hit.action),
            currency_code=hit.currency,
        ).wire(),
    }
    if hit.action == "impression":
        told |= _ShownList(name=hit.list_name).wire()
    return told


def _products(hit: Hit) -> Iterator[dict[str, Any]]:
    if not isinstance(hit, Purchase | Refund | ProductAction):
        return
    for index, item in enumerate(hit.items, 1):
        if isinstance(hit, ProductAction) and hit.action == "impression":
            yield _shown(item).wire(index)
        elif isinstance(hit, ProductAction) and hit.action in _PROMOTION_ACTIONS:
            yield _Promotion(
                promo_id=item.id, name=item.name, position=item.position
            ).wire(index)
        else:
            yield _product(item).wire(index)


def _shown(item: Item) -> _ShownProduct:
    return _ShownProduct(
        sku=item.id,
        name=item.name,
        brand=item.brand,
        category=item.category,
        variant=item.variant,
        position=item.position,
        price=item.price,
    )


def _product(item: Item) -> EnhancedEComProductParameters:
    return EnhancedEComProductParameters(
        sku=item.id,
        name=item.name,
        brand=item.brand,
        category=item.category,
        variant=item.variant,
        price=item.price,
        quantity=item.quantity,
        coupon_code=item.coupon,
        position=item.position,
    )


def _page(page: Page) -> dict[str, Any]:
    # dh and dp would override the parts of dl, and dp has no query.
    if page.url:
        return {"dl": page.url, "dt": page.title}
    return {"dh": page.host, "dp": page.path, "dt": page.title}


def _numbered(
    prefix: str, indexes: Mapping[str, int], params: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        f"{prefix}{index}": params[name]
        for name, index in indexes.items()
        if name in params
    }


def _session(context: Context) -> dict[str, Any]:
    device, campaign, page = context.device, context.campaign, context.page
    told = {
        "uip": context.address,
        "ua": device.user_agent,
        "dr": page.referrer,
    }
    if campaign.source:  # without one Google ignores the others
        told["cn"] = campaign.name
        told["cs"] = campaign.source
        told["cm"] = campaign.medium
        told["ck"] = campaign.term
        told["cc"] = campaign.content
        told["ci"] = campaign.id
    clicks = campaign.click_ids
    told["gclid"] = clicks.get("gclid")
    told["dclid"] = clicks.get("dclid")
    told["sr"] = device.screen_resolution
    told["vp"] = device.viewport_size
    told["de"] = page.encoding
    told["sd"] = device.screen_colors
    told["ul"] = device.language.lower() if device.language else None
    return told
