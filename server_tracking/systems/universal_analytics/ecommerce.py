"""The e-commerce parameters of Measurement Protocol v1, plain and enhanced.

Which of the two a property takes is set in the property. Enhanced parameters have no
hit type of their own: they ride on an event or a page view.
"""

# ruff: noqa: D106  (what a Meta may say: `server_tracking.parameters.generators`)

from __future__ import annotations

from decimal import Decimal
from typing import Self

import msgspec

from server_tracking.parameters import (
    UP,
    EnumeratedUrlGenerator,
    PrefixUrlGenerator,
    UrlGenerator,
)
from server_tracking.systems.universal_analytics.constants import INDEXES

__all__ = [
    "EComItem",
    "EComItemParameters",
    "EComTransactionParameters",
    "EnhancedEComCustomDimensionProductParameters",
    "EnhancedEComCustomMetricProductParameters",
    "EnhancedEComGeneralParameters",
    "EnhancedEComPICustomDimensionProductParameters",
    "EnhancedEComPICustomMetricProductParameters",
    "EnhancedEComPIListParameters",
    "EnhancedEComPIProductParameters",
    "EnhancedEComProductParameters",
    "EnhancedEComPromotionParameters",
]

Money = Decimal | float | int


class _EComUrlGenerator(UrlGenerator):
    transaction_id = UP("ti", True, max_bytes=500, meaning="Order.")
    currency_code = UP("cu", max_bytes=10, meaning="Currency (ISO 4217).")

    class Meta:
        abstract = True


class EComTransactionParameters(_EComUrlGenerator):
    """A plain order: hit type ``transaction``."""

    affiliation = UP("ta", max_bytes=500, meaning="Shop of the order.")
    revenue = UP("tr", type="currency", meaning="Total with tax and shipping.")
    shipping = UP("ts", type="currency", meaning="Shipping cost.")
    tax = UP("tt", type="currency", meaning="Tax.")


class EComItem(msgspec.Struct):
    """One item of a plain order; *price* is that of one."""

    name: str
    price: Money | None = None
    quantity: int | None = None
    code: str | None = None
    category: str | None = None
    currency_code: str | None = None


class EComItemParameters(_EComUrlGenerator):
    """One item of a plain order: hit type ``item``."""

    name = UP("in", True, max_bytes=500, meaning="Name of the item.")
    price = UP("ip", type="currency", meaning="Price of one.")
    quantity = UP("iq", type="integer", meaning="How many.")
    code = UP("ic", max_bytes=500, meaning="Article number of the item.")
    category = UP("iv", max_bytes=500, meaning="Category of the item.")

    @classmethod
    def from_item(
        cls,
        item: EComItem,
        transaction_id: str,
        transaction_currency: str | None = None,
    ) -> Self:
        """Take the values of *item*, which belongs to this transaction."""
        return cls(
            transaction_id=transaction_id,
            name=item.name,
            price=item.price,
            quantity=item.quantity,
            code=item.code,
            category=item.category,
            currency_code=item.currency_code or transaction_currency,
        )


class EnhancedEComGeneralParameters(UrlGenerator):
    """What a hit says of its products together.

    Without *product_action* the products of a hit are ignored.
    """

    product_action = UP(
        "pa",
        values=(
            "detail",
            "click",
            "add",
            "remove",
            "checkout",
            "checkout_option",
            "purchase",
            "refund",
        ),
        meaning="What was done with the products.",
    )
    transaction_id = UP("ti", max_bytes=500, meaning="Order.")
    affiliation = UP("ta", max_bytes=500, meaning="Shop of the order.")
    revenue = UP("tr", type="currency", meaning="Total with tax and shipping.")
    tax = UP("tt", type="currency", meaning="Tax.")
    shipping = UP("ts", type="currency", meaning="Shipping cost.")
    coupon_code = UP("tcc", meaning="Coupon of the order.")
    product_action_list = UP("pal", meaning="List that the product was found in.")
    checkout_step = UP("cos", type="integer", meaning="Step of the checkout.")
    checkout_step_option = UP("col", meaning="What was chosen in this step.")
    promotion_action = UP(
        "promoa", values=("view", "click"), meaning="What was done with promotions."
    )
    currency_code = UP("cu", max_bytes=10, meaning="Currency (ISO 4217).")


class EnhancedEComProductParameters(EnumeratedUrlGenerator):
    """A product of the action: ``url(1)`` to ``url(200)``. *sku* or *name* is needed."""

    sku = UP("id", max_bytes=500, meaning="Article number of the product.")
    name = UP("nm", max_bytes=500, meaning="Name of the product.")
    brand = UP("br", max_bytes=500, meaning="Brand of the product.")
    category = UP(
        "ca", max_bytes=500, meaning="Category, up to 5 levels parted by a slash."
    )
    variant = UP("va", max_bytes=500, meaning="Variant of the product.")
    price = UP("pr", type="currency", meaning="Price of one.")
    quantity = UP("qt", type="integer", meaning="How many.")
    coupon_code = UP("cc", max_bytes=500, meaning="Coupon of the product.")
    position = UP("ps", type="integer", meaning="Place of the product in a list.")

    class Meta:
        item_prefix = "pr"
        indexes = INDEXES


class EnhancedEComCustomDimensionProductParameters(EnumeratedUrlGenerator):
    """Custom dimensions of a product: to be completed with ``VP(1)`` to ``VP(200)``."""

    class Meta:
        abstract = True
        item_prefix = "pr"
        custom_prefix = "cd"
        indexes = INDEXES
        custom_parameter = UP(
            "cd", max_bytes=150, meaning="Custom dimension of the product."
        )


class EnhancedEComCustomMetricProductParameters(EnumeratedUrlGenerator):
    """Custom metrics of a product: to be completed with ``VP(1)`` to ``VP(200)``.

    Documented as whole numbers; metrics that are set up as currency take decimals.
    """

    class Meta:
        abstract = True
        item_prefix = "pr"
        custom_prefix = "cm"
        indexes = INDEXES
        custom_parameter = UP(
            "cm", type="currency", meaning="Custom metric of the product."
        )


class EnhancedEComPIListParameters(PrefixUrlGenerator):
    """A list of products that was shown: to be completed with ``index_prefix``."""

    name = UP("nm", meaning="Name of the list.")

    class Meta:
        abstract = True
        preset_prefix = "il"
        indexes = INDEXES


class EnhancedEComPIProductParameters(EnumeratedUrlGenerator):
    """A product in such a list: to be completed with ``index_prefix``."""

    sku = UP("id", meaning="Article number of the product shown.")
    name = UP("nm", meaning="Name of the product shown.")
    brand = UP("br", meaning="Brand of the product shown.")
    category = UP("ca", meaning="Category of the product shown.")
    variant = UP("va", meaning="Variant of the product shown.")
    position = UP("ps", type="integer", meaning="Place of the product in the list.")
    price = UP("pr", type="currency", meaning="Price of the product shown.")

    class Meta:
        abstract = True
        preset_prefix = "il"
        item_prefix = "pi"
        indexes = INDEXES


class EnhancedEComPICustomDimensionProductParameters(EnumeratedUrlGenerator):
    """Custom dimensions of a product in such a list."""

    class Meta:
        abstract = True
        preset_prefix = "il"
        item_prefix = "pi"
        custom_prefix = "cd"
        indexes = INDEXES
        custom_parameter = UP("cd", meaning="Custom dimension of the product shown.")


class EnhancedEComPICustomMetricProductParameters(EnumeratedUrlGenerator):
    """Custom metrics of a product in such a list."""

    class Meta:
        abstract = True
        preset_prefix = "il"
        item_prefix = "pi"
        custom_prefix = "cm"
        indexes = INDEXES
        custom_parameter = UP(
            "cm", type="currency", meaning="Custom metric of the product shown."
        )


class EnhancedEComPromotionParameters(PrefixUrlGenerator):
    """A promotion: to be completed with ``index_prefix``."""

    promo_id = UP("id", meaning="Promotion.")
    name = UP("nm", meaning="Name of the promotion.")
    creative = UP("cr", meaning="Picture or text of the promotion.")
    position = UP("ps", meaning="Place of the promotion.")

    class Meta:
        abstract = True
        preset_prefix = "promo"
        indexes = INDEXES
