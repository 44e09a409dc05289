"""Words and numbers of Measurement Protocol v1."""

from __future__ import annotations

__all__ = [
    "EECOM_ACTION_ADD",
    "EECOM_ACTION_CHECKOUT",
    "EECOM_ACTION_CHECKOUT_OPTION",
    "EECOM_ACTION_CLICK",
    "EECOM_ACTION_DETAIL",
    "EECOM_ACTION_PURCHASE",
    "EECOM_ACTION_REFUND",
    "EECOM_ACTION_REMOVE",
    "EECOM_PROMOTION_CLICK",
    "EECOM_PROMOTION_VIEW",
    "GET_SIZE_LIMIT",
    "HIT_TYPES",
    "HIT_TYPE_EVENT",
    "HIT_TYPE_EXCEPTION",
    "HIT_TYPE_PAGEVIEW",
    "HIT_TYPE_SCREENVIEW",
    "HIT_TYPE_SOCIAL",
    "HIT_TYPE_TIMING",
    "HIT_TYPE_TRANSACTION",
    "HIT_TYPE_TRANSACTION_ITEM",
    "INDEXES",
    "LONGEST_QUEUE_TIME",
    "POST_SIZE_LIMIT",
]

HIT_TYPE_PAGEVIEW = "pageview"
HIT_TYPE_SCREENVIEW = "screenview"
HIT_TYPE_EVENT = "event"
HIT_TYPE_TRANSACTION = "transaction"
HIT_TYPE_TRANSACTION_ITEM = "item"
HIT_TYPE_SOCIAL = "social"
HIT_TYPE_EXCEPTION = "exception"
HIT_TYPE_TIMING = "timing"
HIT_TYPES = (
    HIT_TYPE_PAGEVIEW,
    HIT_TYPE_SCREENVIEW,
    HIT_TYPE_EVENT,
    HIT_TYPE_TRANSACTION,
    HIT_TYPE_TRANSACTION_ITEM,
    HIT_TYPE_SOCIAL,
    HIT_TYPE_EXCEPTION,
    HIT_TYPE_TIMING,
)

EECOM_ACTION_DETAIL = "detail"
EECOM_ACTION_CLICK = "click"
EECOM_ACTION_ADD = "add"
EECOM_ACTION_REMOVE = "remove"
EECOM_ACTION_CHECKOUT = "checkout"
EECOM_ACTION_CHECKOUT_OPTION = "checkout_option"
EECOM_ACTION_PURCHASE = "purchase"
EECOM_ACTION_REFUND = "refund"

# The page's prose says promo_click, its example and all of Google's clients click.
EECOM_PROMOTION_VIEW = "view"
EECOM_PROMOTION_CLICK = "click"

INDEXES = range(1, 201)
"""Products, lists, promotions, dimensions and metrics are counted 1 to 200."""

GET_SIZE_LIMIT = 2000
"""Bytes of a whole URL: the last reference says 8000, the earlier one 2000."""

POST_SIZE_LIMIT = 8192
"""Bytes of one hit (protocol reference, "POST")."""

LONGEST_QUEUE_TIME = 4 * 3600 * 1000
"""Milliseconds; Google may drop what is older (parameter reference, ``qt``)."""
