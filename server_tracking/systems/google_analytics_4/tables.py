"""What the Measurement Protocol knows: limits, reserved names, events, parameters.

Sending and checking read the same tables. Where Google's pages disagree, sending
keeps to the stricter form and checking to the looser: 10 or 27 custom parameters
of an item, share with item_id or content_id, 31 reserved names or the longer list
of the help centre.
"""

from __future__ import annotations

from typing import NamedTuple

from server_tracking.patterns import pattern_from

__all__ = ["BODY", "EVENTS", "ITEM", "PARAMETERS", "EventWords", "Field"]

# Measurement Protocol: sending events, limitations; Analytics Help 9267744.
MOST_EVENTS = 25  # in a request
MOST_PARAMETERS = 25  # of an event
MOST_USER_PROPERTIES = 25
MOST_ITEMS = 200
MOST_ITEM_PARAMETERS = 27  # of the site's own; one page says 10
LARGEST_BODY = 129_999  # bytes; "less than 130 kB"
OLDEST = 72 * 3600  # seconds that an event may lie back
LONGEST_NAME = 40
LONGEST_VALUE = 100
LONGEST_VALUE_360 = 500
LONGEST_USER_PROPERTY_NAME = 24
LONGEST_USER_PROPERTY = 36
LONGEST_USER_ID = 256
LONGEST_VALUES = {"page_title": 300, "page_referrer": 420, "page_location": 1000}

NAME = pattern_from(r"[A-Za-z][A-Za-z0-9_]*")
CLIENT_ID = pattern_from(r"[1-9][0-9]*\.[1-9][0-9]*")
CLIENT_COOKIE = pattern_from(r"GA[0-9]\.[^.]+\.[0-9]+\.[0-9]+")
SESSION_ID = pattern_from(r"[0-9]*[1-9][0-9]*|GS[0-9]\.[^.]+\..+")
CURRENCY = pattern_from(r"[A-Z]{3}")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


RESERVED_EVENTS = _words(
    """
    ad_activeview ad_click ad_exposure ad_query ad_reward adunit_exposure
    app_clear_data app_exception app_install app_remove app_store_refund app_update
    app_upgrade dynamic_link_app_open dynamic_link_app_update
    dynamic_link_first_open error firebase_campaign firebase_in_app_message_action
    firebase_in_app_message_dismiss firebase_in_app_message_impression first_open
    first_visit notification_dismiss notification_foreground notification_open
    notification_receive notification_send os_update session_start user_engagement
    """
)
APP_EVENTS = frozenset({"ad_impression", "in_app_purchase", "screen_view"})
RESERVED_PREFIXES = ("_", "firebase_", "ga_", "google_", "gtag.")
RESERVED_PARAMETERS = frozenset({"firebase_conversion"})
RESERVED_USER_PROPERTIES = _words(
    """
    first_open_time first_visit_time last_deep_link_referrer user_id
    first_open_after_install
    """
)
RESERVED_USER_PROPERTY_PREFIXES = ("_", "firebase_", "ga_", "google_")


class Field(NamedTuple):
    """A field on the wire: its *kind* (text, number, flag, items ...) and meaning."""

    kind: str
    meaning: str


class EventWords(NamedTuple):
    """What an event takes. *stream* is ``web``, ``app`` or ``both``."""

    stream: str
    parameters: tuple[str, ...]
    required: frozenset[str]


BODY = {
    "client_id": Field("client_id", "The browser: two numbers joined by a dot."),
    "app_instance_id": Field("text", "The installation of an app, 32 hex digits."),
    "user_id": Field("text", "The signed-in visitor, by the site's own id."),
    "timestamp_micros": Field("time", "When it happened, in Unix microseconds."),
    "user_properties": Field("object", "What describes the visitor, by name."),
    "user_data": Field("object", "Hashed mail, phone and address of the visitor."),
    "consent": Field("object", "What Google may use the data for."),
    "non_personalized_ads": Field("flag", "Old word for no personalised advertising."),
    "user_location": Field("object", "Where the visitor is."),
    "ip_override": Field("address", "The address from which to derive the place."),
    "device": Field("object", "The visitor's device, told in full."),
    "user_agent": Field("text", "The browser's own words about the device."),
    "validation_behavior": Field("text", "How strictly to validate."),
    "events": Field("events", "What happened."),
}

CONSENT = {
    "ad_user_data": Field("consent", "Whether the data may be used for advertising."),
    "ad_personalization": Field("consent", "Whether advertising may be personalised."),
}

LOCATION = {
    "city": Field("text", "Name of the city."),
    "region_id": Field("text", "Region by ISO 3166-2, such as US-CA."),
    "country_id": Field("text", "Country by ISO 3166-1, two letters."),
    "subcontinent_id": Field("text", "Part of the continent by UN M49, three digits."),
    "continent_id": Field("text", "Continent by UN M49, three digits."),
}

DEVICE = {
    "category": Field("text", "Kind: desktop, tablet, mobile or smart TV."),
    "language": Field("text", "Language by ISO 639-1, such as en-US."),
    "screen_resolution": Field("text", "Width and height, such as 1920x1080."),
    "operating_system": Field("text", "Name of the operating system."),
    "operating_system_version": Field("text", "Its version."),
    "model": Field("text", "Model of the device."),
    "brand": Field("text", "Maker of the device."),
    "browser": Field("text", "Name of the browser."),
    "browser_version": Field("text", "Its version."),
}
DEVICE_CATEGORIES = frozenset({"desktop", "tablet", "mobile", "smart TV"})

USER_DATA = {
    "sha256_email_address": Field("hashes", "Mail addresses, at most three."),
    "sha256_phone_number": Field("hashes", "Phone numbers, at most three."),
    "address": Field("object", "Postal addresses, at most two."),
}
ADDRESS = {
    "sha256_first_name": Field("hash", "First name."),
    "sha256_last_name": Field("hash", "Last name."),
    "sha256_street": Field("hash", "Street and number."),
    "city": Field("text", "City, in plain text."),
    "region": Field("text", "Region, in plain text."),
    "postal_code": Field("text", "Postal code, in plain text."),
    "country": Field("text", "Country by ISO 3166-1, two letters."),
}

PARAMETERS = {
    # What every event may carry.
    "session_id": Field("session", "The visit: when it began, in Unix seconds."),
    "session_number": Field("session", "How many visits this browser has made."),
    "engagement_time_msec": Field("number", "Attention since the event before, in ms."),
    "debug_mode": Field("flag", "Shows the event in DebugView."),
    "timestamp_micros": Field("time", "When it happened, in Unix microseconds."),
    "page_location": Field("url", "Address of the page."),
    "page_title": Field("text", "Title of the page."),
    "page_referrer": Field("text", "Address of the page before."),
    "language": Field("text", "Language that the browser prefers."),
    "screen_resolution": Field("text", "Width and height of the screen."),
    # Money and goods.
    "currency": Field("currency", "Currency of all amounts, by ISO 4217."),
    "value": Field("number", "What it is worth, without tax and shipping."),
    "transaction_id": Field("text", "Number of the order."),
    "tax": Field("number", "Tax in the order."),
    "shipping": Field("number", "Shipping costs of the order."),
    "coupon": Field("text", "Coupon used."),
    "customer_type": Field("text", "Kind of customer: new or returning."),
    "items": Field("items", "The goods."),
    "item_list_id": Field("text", "Id of the list of goods."),
    "item_list_name": Field("text", "Name of the list of goods."),
    "payment_type": Field("text", "How it is paid."),
    "shipping_tier": Field("text", "How it is delivered."),
    "creative_name": Field("text", "Name of the promotion's creative."),
    "creative_slot": Field("text", "Where the creative was shown."),
    "promotion_id": Field("text", "Id of the promotion."),
    "promotion_name": Field("text", "Name of the promotion."),
    # People, content, campaigns.
    "method": Field("text", "Means used, such as a provider's name."),
    "content_type": Field("text", "Kind of content."),
    "content_id": Field("text", "Id of the content."),
    "item_id": Field("text", "Id of the content or the product."),
    "item_name": Field("text", "Name of what was bought."),
    "search_term": Field("text", "What was searched for."),
    "lead_source": Field("text", "Where the lead came from."),
    "lead_status": Field("text", "How far the lead has come."),
    "disqualified_lead_reason": Field("text", "Why the lead was disqualified."),
    "unconvert_lead_reason": Field("text", "Why the lead was lost."),
    "campaign_id": Field("text", "Id of the campaign."),
    "campaign": Field("text", "Name of the campaign."),
    "source": Field("text", "What sent the visitor."),
    "medium": Field("text", "By what kind of link."),
    "term": Field("text", "Paid keyword."),
    "content": Field("text", "Variant of the advertisement."),
    # Games.
    "virtual_currency_name": Field("text", "Name of the virtual currency."),
    "achievement_id": Field("text", "Id of the achievement."),
    "character": Field("text", "Name of the character."),
    "group_id": Field("text", "Id of the group."),
    "level": Field("number", "Level reached."),
    "score": Field("number", "Points."),
    # What a browser's tag measures by itself.
    "percent_scrolled": Field("number", "How far the page was scrolled."),
    "link_classes": Field("text", "Classes of the link."),
    "link_domain": Field("text", "Domain that the link leads to."),
    "link_id": Field("text", "Id of the link."),
    "link_text": Field("text", "Text of the link."),
    "link_url": Field("text", "Where the link leads."),
    "outbound": Field("flag", "Whether it leads to another site."),
    "file_extension": Field("text", "Extension of the file."),
    "file_name": Field("text", "Name of the file."),
    "form_id": Field("text", "Id of the form."),
    "form_name": Field("text", "Name of the form."),
    "form_destination": Field("text", "Where the form is sent to."),
    "form_submit_text": Field("text", "Text of the button."),
    "video_current_time": Field("number", "Place in the video, in seconds."),
    "video_duration": Field("number", "Length of the video, in seconds."),
    "video_percent": Field("number", "How much of the video was seen."),
    "video_provider": Field("text", "Who hosts the video."),
    "video_title": Field("text", "Title of the video."),
    "video_url": Field("text", "Address of the video."),
    "visible": Field("flag", "Whether the video was in view."),
    "description": Field("text", "What went wrong."),
    "fatal": Field("flag", "Whether it ended what the visitor did."),
    # Apps.
    "screen_name": Field("text", "Name of the screen."),
    "screen_class": Field("text", "Class of the screen."),
    "ad_platform": Field("text", "Platform of the advertisement."),
    "ad_source": Field("text", "Network of the advertisement."),
    "ad_format": Field("text", "Form of the advertisement."),
    "ad_unit_name": Field("text", "Place of the advertisement."),
    "quantity": Field("number", "How many."),
    "product_id": Field("text", "Id of the product."),
    "subscription": Field("flag", "Whether it is a subscription."),
    "free_trial": Field("flag", "Whether it is a trial."),
    "price_is_discounted": Field("flag", "Whether the price is reduced."),
    # What this library adds, and Universal Analytics' own words for it.
    "event_category": Field("text", "Category of the event."),
    "event_action": Field("text", "Action of the event."),
    "event_label": Field("text", "Label of the event."),
    "name": Field("text", "What was timed."),
    "server_ms": Field("number", "How long the server took, in milliseconds."),
    "checkout_step": Field("number", "Step of the checkout, from 1."),
    "checkout_option": Field("text", "What was chosen in this step."),
    "social_network": Field("text", "The network."),
    "social_action": Field("text", "What was done there."),
    "social_target": Field("text", "With what."),
}

ITEM = {
    "item_id": Field("text", "Id of the product."),
    "item_name": Field("text", "Name of the product."),
    "affiliation": Field("text", "Shop or supplier."),
    "coupon": Field("text", "Coupon for this product."),
    "creative_name": Field("text", "Name of the promotion's creative."),
    "creative_slot": Field("text", "Where the creative was shown."),
    "discount": Field("number", "Reduction for each piece."),
    "index": Field("number", "Position in the list."),
    "item_brand": Field("text", "Brand."),
    "item_category": Field("text", "Category, first level."),
    "item_category2": Field("text", "Category, second level."),
    "item_category3": Field("text", "Category, third level."),
    "item_category4": Field("text", "Category, fourth level."),
    "item_category5": Field("text", "Category, fifth level."),
    "item_list_id": Field("text", "Id of the list it was in."),
    "item_list_name": Field("text", "Name of the list it was in."),
    "item_variant": Field("text", "Variant, such as a colour."),
    "location_id": Field("text", "Physical place, by Google's Place ID if it has one."),
    "price": Field("number", "Price of one piece."),
    "promotion_id": Field("text", "Id of the promotion."),
    "promotion_name": Field("text", "Name of the promotion."),
    "quantity": Field("number", "How many."),
    # Known to Google's Event Builder only.
    "currency": Field("currency", "Currency of the price."),
    "tax": Field("number", "Tax in the price."),
    "google_business_vertical": Field("text", "Line of business, for remarketing."),
}

# Name: parameters; "!" marks the required ones.
_WEB = {
    "page_view": "page_location page_title page_referrer language screen_resolution",
    "scroll": "percent_scrolled",
    "click": "link_classes link_domain link_id link_url outbound",
    "file_download": "file_extension file_name link_classes link_domain link_id"
    " link_url link_text",
    "video_start": "video_current_time video_duration video_percent video_provider"
    " video_title video_url visible",
    "video_progress": "video_current_time video_duration video_percent"
    " video_provider video_title video_url visible",
    "video_complete": "video_current_time video_duration video_percent"
    " video_provider video_title video_url visible",
    "form_start": "form_id form_name form_destination",
    "form_submit": "form_id form_name form_destination form_submit_text",
    "exception": "description fatal",
}
_BOTH = {
    "add_payment_info": "currency value coupon payment_type items!",
    "add_shipping_info": "currency value coupon shipping_tier items!",
    "add_to_cart": "currency value items!",
    "add_to_wishlist": "currency value items!",
    "begin_checkout": "currency value coupon items!",
    "campaign_details": "campaign_id campaign source medium term content",
    "close_convert_lead": "currency value",
    "close_unconvert_lead": "currency value unconvert_lead_reason",
    "disqualify_lead": "currency value disqualified_lead_reason",
    "earn_virtual_currency": "virtual_currency_name value",
    "generate_lead": "currency value lead_source",
    "join_group": "group_id",
    "level_up": "level character",
    "login": "method",
    "post_score": "score! level character",
    "purchase": "currency value customer_type transaction_id! coupon shipping tax"
    " items!",
    "qualify_lead": "currency value",
    "refund": "currency transaction_id! value coupon shipping tax items",
    "remove_from_cart": "currency value items!",
    "search": "search_term!",
    "select_content": "content_type content_id",
    "select_item": "item_list_id item_list_name items",
    "select_promotion": "creative_name creative_slot promotion_id promotion_name items",
    "share": "method content_type item_id",
    "sign_up": "method",
    "spend_virtual_currency": "value! virtual_currency_name! item_name",
    "tutorial_begin": "",
    "tutorial_complete": "",
    "unlock_achievement": "achievement_id!",
    "view_cart": "currency value items!",
    "view_item": "currency value items!",
    "view_item_list": "currency item_list_id item_list_name items!",
    "view_promotion": "creative_name creative_slot promotion_id promotion_name items",
    "view_search_results": "search_term",
    "working_lead": "currency value lead_status",
}
_APP = {
    "ad_impression": "ad_platform ad_source ad_format ad_unit_name currency value",
    "in_app_purchase": "currency value quantity product_id subscription free_trial"
    " price_is_discounted",
    "screen_view": "screen_class screen_name",
}


def _events(stream: str, rows: dict[str, str]) -> dict[str, EventWords]:
    return {
        name: EventWords(
            stream,
            tuple(word.rstrip("!") for word in words.split()),
            frozenset(word[:-1] for word in words.split() if word.endswith("!")),
        )
        for name, words in rows.items()
    }


EVENTS = {**_events("both", _BOTH), **_events("web", _WEB), **_events("app", _APP)}
