"""The parameters of Measurement Protocol v1, as classes.

Each class holds what belongs together; the wire form of a hit is that of several:

    hit = GeneralParameters(tracking_id="UA-1-1").url(HIT_TYPE_EVENT)
    hit |= SessionParameters(client_id="1.2").url()
    hit |= EventParameters("Video", "Play").url()

Types and limits are those of Google's parameter reference in its last state that is
known (2020). Names and usage are those of server-side-tracking 1.0.
"""

# ruff: noqa: D106  (what a Meta may say: `server_tracking.parameters.generators`)

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from typing import Any, Self

from server_tracking.parameters import UP, UrlGenerator
from server_tracking.systems.universal_analytics.constants import (
    EECOM_ACTION_ADD,
    EECOM_ACTION_CHECKOUT,
    EECOM_ACTION_CHECKOUT_OPTION,
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
    HIT_TYPE_TRANSACTION,
    HIT_TYPE_TRANSACTION_ITEM,
    HIT_TYPES,
    INDEXES,
)
from server_tracking.systems.universal_analytics.ecommerce import (
    EComItem,
    EComItemParameters,
    EComTransactionParameters,
    EnhancedEComCustomDimensionProductParameters,
    EnhancedEComCustomMetricProductParameters,
    EnhancedEComGeneralParameters,
    EnhancedEComPICustomDimensionProductParameters,
    EnhancedEComPICustomMetricProductParameters,
    EnhancedEComPIListParameters,
    EnhancedEComPIProductParameters,
    EnhancedEComProductParameters,
    EnhancedEComPromotionParameters,
)

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
    "HIT_TYPES",
    "HIT_TYPE_EVENT",
    "HIT_TYPE_EXCEPTION",
    "HIT_TYPE_PAGEVIEW",
    "HIT_TYPE_SCREENVIEW",
    "HIT_TYPE_SOCIAL",
    "HIT_TYPE_TIMING",
    "HIT_TYPE_TRANSACTION",
    "HIT_TYPE_TRANSACTION_ITEM",
    "AppTrackingParameters",
    "ContentGroupUrlGenerator",
    "CustomDimensionUrlGenerator",
    "CustomMetricUrlGenerator",
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
    "EventParameters",
    "ExceptionParameters",
    "GeneralParameters",
    "HitParameters",
    "PageViewParameters",
    "SessionParameters",
    "SocialInteractionParameters",
    "TimingParameters",
]


class GeneralParameters(UrlGenerator):
    """What every hit needs; ``url(hit_type)`` adds the type of the hit.

    With *use_cache_buster* it ends with a random number, which only GET needs.
    """

    protocol_version = UP("v", True, values=("1",), meaning="Version of the protocol.")
    tracking_id = UP("tid", True, meaning="Property that the hit belongs to.")
    hit_type = UP("t", values=HIT_TYPES, meaning="Kind of hit.")
    data_source = UP("ds", meaning="Where the data comes from: web, app, own words.")
    anonymize_ip = UP("aip", type="boolean", meaning="Mask the visitor's address.")
    disable_advertising_personalization = UP(
        "npa", type="boolean", meaning="Do not use the hit for personalised ads."
    )
    cache_buster = UP("z", meaning="Random number that keeps proxies from caching.")

    def __init__(
        self,
        params: UrlGenerator | Mapping[str, Any] | None = None,
        use_cache_buster: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(params, **kwargs)
        if self.protocol_version is None:
            self.protocol_version = 1
        self.use_cache_buster = use_cache_buster

    def wire(self, hit_type: str, *_args: Any, **_kwargs: Any) -> dict[str, Any]:
        """Return the values and *hit_type* by their names on the wire, unchecked."""
        wire = UrlGenerator.wire(self._typed(hit_type))
        # Last, since some software between appends to URLs (reference, ``z``).
        buster = wire.pop("z", None)
        if self.use_cache_buster and buster is None:
            buster = secrets.randbits(31)
        return wire if buster is None else {**wire, "z": buster}

    def url(self, hit_type: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the values and *hit_type* by their names on the wire."""
        self._typed(hit_type).validate()
        return self.wire(hit_type, *args, **kwargs)

    def _typed(self, hit_type: str) -> Self:
        typed = self.copy()
        typed.hit_type = hit_type
        return typed


class HitParameters(UrlGenerator):
    """How a hit counts. *queue_time* is its age in milliseconds, at most 4 hours."""

    queue_time = UP("qt", type="integer", minimum=0, meaning="Age of the hit in ms.")
    non_interaction_hit = UP(
        "ni", type="boolean", meaning="The hit does not count against a bounce."
    )


class SessionParameters(UrlGenerator):
    """Who the visitor is, and where from.

    *client_id* is required, though the protocol is content with *user_id* alone:
    such hits do not show up in reports.
    """

    client_id = UP("cid", True, meaning="Visitor by a random id.")
    user_id = UP("uid", meaning="Visitor by the site's own id.")
    session_control = UP(
        "sc", values=("start", "end"), meaning="Start or end a session."
    )
    ip_override = UP("uip", meaning="Address of the visitor, always masked.")
    user_agent_override = UP("ua", meaning="User agent of the visitor.")
    geographical_override = UP("geoid", meaning="Country or Google's id of a place.")

    document_referrer = UP("dr", max_bytes=2048, meaning="Page that led here.")
    campaign_name = UP("cn", max_bytes=100, meaning="Name of the campaign.")
    campaign_source = UP("cs", max_bytes=100, meaning="Source of the campaign.")
    campaign_medium = UP("cm", max_bytes=50, meaning="Medium of the campaign.")
    campaign_keyword = UP("ck", max_bytes=500, meaning="Keyword of the campaign.")
    campaign_content = UP("cc", max_bytes=500, meaning="Content of the campaign.")
    campaign_id = UP("ci", max_bytes=100, meaning="Id of the campaign.")
    google_adwords_id = UP("gclid", meaning="Click id of Google Ads.")
    google_display_ads_id = UP("dclid", meaning="Click id of Google's display ads.")

    screen_resolution = UP("sr", max_bytes=20, meaning="Size of the screen.")
    viewport_size = UP("vp", max_bytes=20, meaning="Visible size of the page.")
    document_encoding = UP("de", max_bytes=20, meaning="Charset of the page.")
    screen_colors = UP("sd", max_bytes=20, meaning="Colour depth of the screen.")
    user_language = UP("ul", max_bytes=20, meaning="Language of the visitor.")
    java_enabled = UP("je", type="boolean", meaning="The browser runs Java.")
    flash_version = UP("fl", max_bytes=20, meaning="Version of Flash.")

    experiment_id = UP("xid", max_bytes=40, meaning="Experiment shown.")
    experiment_variant = UP("xvar", meaning="Variant of the experiment shown.")


class PageViewParameters(UrlGenerator):
    """Which page: *location_url*, or *host_name* and *path*, or *screen_name*."""

    location_url = UP("dl", max_bytes=2048, meaning="URL of the page.")
    host_name = UP("dh", max_bytes=100, meaning="Host, instead of that in dl.")
    path = UP("dp", max_bytes=2048, meaning="Path, instead of that in dl.")
    title = UP("dt", max_bytes=1500, meaning="Title of the page.")
    screen_name = UP("cd", max_bytes=2048, meaning="Name of the screen.")
    link_id = UP("linkid", meaning="Id of the element that was clicked.")

    def __init__(
        self,
        params: UrlGenerator | Mapping[str, Any] | None = None,
        location_url: str | None = None,
        host_name: str | None = None,
        path: str | None = None,
        title: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            params,
            location_url=location_url,
            host_name=host_name,
            path=path,
            title=title,
            **kwargs,
        )

    def problems(self) -> Iterator[str]:
        """Name all that is wrong with the values."""
        yield from super().problems()
        if not (
            self.location_url or self.screen_name or (self.host_name and self.path)
        ):
            yield "location_url is required, or host_name and path"


class AppTrackingParameters(UrlGenerator):
    """Which application: for hits of apps, which need its *name*."""

    name = UP("an", True, max_bytes=100, meaning="Name of the application.")
    app_id = UP("aid", max_bytes=150, meaning="Id of the application.")
    version = UP("av", max_bytes=100, meaning="Version of the application.")
    installer_id = UP("aiid", max_bytes=150, meaning="Where it was installed from.")


class EventParameters(UrlGenerator):
    """What happened."""

    category = UP("ec", True, max_bytes=150, meaning="Category of the event.")
    action = UP("ea", True, max_bytes=500, meaning="Action of the event.")
    label = UP("el", max_bytes=500, meaning="Label of the event.")
    value = UP("ev", type="integer", minimum=0, meaning="Value of the event.")

    def __init__(
        self,
        category: str,
        action: str | None = None,
        label: str | None = None,
        value: int | None = None,
    ) -> None:
        super().__init__(category=category, action=action, label=label, value=value)


class SocialInteractionParameters(UrlGenerator):
    """What was done in a social network."""

    network = UP("sn", True, max_bytes=50, meaning="Social network.")
    action = UP("sa", True, max_bytes=50, meaning="What was done there.")
    target = UP("st", True, max_bytes=2048, meaning="What it was done with.")


def _milliseconds(wire_name: str, meaning: str, required: bool = False) -> UP:
    return UP(wire_name, required, "integer", meaning=f"{meaning}, in ms.")


class TimingParameters(UrlGenerator):
    """How long something took, in milliseconds."""

    user_timing_category = UP("utc", True, max_bytes=150, meaning="What was timed.")
    user_timing_variable = UP("utv", True, max_bytes=500, meaning="Part of it.")
    user_timing_value = _milliseconds("utt", "Time that it took", required=True)
    user_timing_label = UP("utl", max_bytes=500, meaning="Label of the timing.")
    page_load_time = _milliseconds("plt", "Time to load the page")
    dns_time = _milliseconds("dns", "Time to look the host up")
    page_download_time = _milliseconds("pdt", "Time to download the page")
    redirect_response_time = _milliseconds("rrt", "Time for redirects")
    tcp_connect_time = _milliseconds("tcp", "Time to connect")
    server_response_time = _milliseconds("srt", "Time that the server took")
    dom_interactive_time = _milliseconds("dit", "Time until the page could be used")
    content_load_time = _milliseconds("clt", "Time until the content was there")


class ExceptionParameters(UrlGenerator):
    """Which error; without *fatal* it counts as fatal."""

    description = UP("exd", max_bytes=150, meaning="What the error was.")
    fatal = UP("exf", type="boolean", meaning="Whether it ended the visitor's work.")


class CustomDimensionUrlGenerator(UrlGenerator):
    """Custom dimensions: to be completed with ``VP(1)`` to ``VP(200)``."""

    class Meta:
        abstract = True
        custom_prefix = "cd"
        indexes = INDEXES
        custom_parameter = UP("cd", max_bytes=150, meaning="Custom dimension.")


class CustomMetricUrlGenerator(UrlGenerator):
    """Custom metrics: to be completed with ``VP(1)`` to ``VP(200)``."""

    class Meta:
        abstract = True
        custom_prefix = "cm"
        indexes = INDEXES
        custom_parameter = UP("cm", type="currency", meaning="Custom metric.")


class ContentGroupUrlGenerator(UrlGenerator):
    """Content groups: to be completed with ``VP(1)`` to ``VP(5)``."""

    class Meta:
        abstract = True
        custom_prefix = "cg"
        indexes = range(1, 6)
        custom_parameter = UP(
            "cg", max_bytes=100, meaning="Content group, levels parted by a slash."
        )
