"""What each part of a request means, by its path: ``items[<n>].price``.

The path is as the inspector shows it: fields of the body and of events' parameters
stand at the top, what is in them behind a dot.
"""

from __future__ import annotations

from collections.abc import Mapping

from server_tracking.patterns import pattern_from
from server_tracking.systems import ParameterRow
from server_tracking.systems.google_analytics_4.tables import (
    ADDRESS,
    APP_EVENTS,
    BODY,
    CONSENT,
    DEVICE,
    ITEM,
    LOCATION,
    PARAMETERS,
    USER_DATA,
    Field,
)

__all__ = ["ROWS", "meaning_of"]

_QUERY = {
    "measurement_id": "The data stream.",
    "firebase_app_id": "The data stream of an app.",
    "api_secret": "The secret of the stream, not shown.",
}
_NAME = Field("text", "What happened.")
_PLACES: Mapping[str, Mapping[str, Field]] = {
    # The name of an event counts before a parameter with the name "name".
    "{}": {**BODY, **PARAMETERS, "name": _NAME},
    "consent.{}": CONSENT,
    "user_location.{}": LOCATION,
    "device.{}": DEVICE,
    "user_data.{}[<n>]": USER_DATA,
    "user_data.address[<n>].{}": ADDRESS,
    "items[<n>].{}": ITEM,
}
_EVENTS = {
    "add_payment_info": "A way to pay was chosen in the checkout.",
    "add_shipping_info": "A way of delivery was chosen in the checkout.",
    "add_to_cart": "Goods were put into the basket.",
    "add_to_wishlist": "Goods were put on a wish list.",
    "begin_checkout": "A checkout began.",
    "campaign_details": "A campaign brought the visitor.",
    "close_convert_lead": "A lead became a customer.",
    "close_unconvert_lead": "A lead did not become a customer.",
    "disqualify_lead": "A lead was found unfit.",
    "earn_virtual_currency": "Virtual currency was earned.",
    "generate_lead": "Somebody became a lead.",
    "join_group": "The visitor joined a group.",
    "level_up": "A player reached a level.",
    "login": "The visitor logged in.",
    "post_score": "A player posted a score.",
    "purchase": "An order was made.",
    "qualify_lead": "A lead was found fit.",
    "refund": "An order was paid back, or a part of it.",
    "remove_from_cart": "Goods were taken out of the basket.",
    "search": "The visitor searched.",
    "select_content": "The visitor chose a content.",
    "select_item": "Goods were chosen from a list.",
    "select_promotion": "A promotion was clicked.",
    "share": "A content was shared.",
    "sign_up": "An account was made.",
    "spend_virtual_currency": "Virtual currency was spent.",
    "tutorial_begin": "A tutorial began.",
    "tutorial_complete": "A tutorial was completed.",
    "unlock_achievement": "A player unlocked an achievement.",
    "view_cart": "The basket was viewed.",
    "view_item": "Goods were viewed.",
    "view_item_list": "A list of goods was shown.",
    "view_promotion": "A promotion was shown.",
    "view_search_results": "The results of a search were viewed.",
    "working_lead": "A lead was contacted.",
    "page_view": "A page was viewed.",
    "scroll": "A page was scrolled.",
    "click": "A link to another site was followed.",
    "file_download": "A file was downloaded.",
    "video_start": "A video began.",
    "video_progress": "A video reached a part of its length.",
    "video_complete": "A video ended.",
    "form_start": "A form was begun.",
    "form_submit": "A form was sent.",
    "exception": "Something went wrong.",
    "ad_impression": "An advertisement was shown in an app.",
    "in_app_purchase": "Something was bought in an app.",
    "screen_view": "A screen of an app was viewed.",
}
_OWN = {
    "user_properties.<name>.value": "What describes the visitor.",
    "user_properties.<name>.timestamp_micros": "Since when it does, in Unix microseconds.",
    "items[<n>].<name>": "Parameter of the product, by a name of the site's own.",
    "<name>": "Parameter of the event, by a name of the site's own.",
}
_WHOLE = ("object", "events", "items")  # kinds of what is shown part by part
_APP = "It belongs to app streams."
_NOTES = {
    "app_instance_id": "Only Firebase in the app knows it; web streams take client_id.",
    "firebase_app_id": _APP,
    "name=screen_view": f"{_APP[:-1]}; a web stream gets view_screen.",
    **{f"name={name}": _APP for name in APP_EVENTS - {"screen_view"}},
}


def _meanings() -> dict[str, str]:
    """Explain all paths; where a name stands in two places, the first counts."""
    found = dict(_QUERY)
    for place, fields in _PLACES.items():
        for name, field in fields.items():
            if field.kind not in _WHOLE:
                found.setdefault(place.format(name), field.meaning)
    return {**found, **_OWN, **{f"name={name}": text for name, text in _EVENTS.items()}}


_MEANINGS = _meanings()
ROWS = tuple(
    ParameterRow(name, meaning, _NOTES.get(name, ""))
    for name, meaning in _MEANINGS.items()
)

_INDEX = pattern_from(r"\[[0-9]+\]")
_BY_PATH = {
    **{name: field.meaning for name, field in {**PARAMETERS, **BODY}.items()},
    # One mail or address may stand without a list around it.
    **{name.replace("[<n>]", ""): meaning for name, meaning in _MEANINGS.items()},
}


def meaning_of(path: str, *, of_event: bool = False) -> str:
    """Say what stands at *path*; nothing if Google does not know it.

    *of_event* tells whether it is a parameter of an event, which a site may name.
    """
    plain = _INDEX.sub("", path)
    if plain in _BY_PATH:
        return _BY_PATH[plain]
    first, _, rest = plain.partition(".")
    if first == "user_properties":
        return _BY_PATH.get(f"{first}.<name>.{rest.rpartition('.')[2]}", "")
    if first == "items" and rest:
        return _BY_PATH["items.<name>"]
    return _BY_PATH["<name>"] if of_event and not rest else ""
