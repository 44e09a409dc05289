"""The parameters of Matomo's Tracking HTTP API, as classes.

Each class holds what belongs together; a hit is made of several:

    hit = RequestParameters(site_id=1, record=1, url="https://example.com/").url()
    hit |= EventParameters(category="Basket", action="Add", custom_action=1).url()

`PARAMETERS` has all of them by their names on the wire. Limits in bytes are with the
parameter, those in characters in `CHARACTERS`.
"""

# ruff: noqa: D106  (what a Meta may say: `server_tracking.parameters.generators`)

from __future__ import annotations

from collections.abc import Mapping

from server_tracking.parameters import UP, UrlGenerator, UrlParameter

__all__ = [
    "CHARACTERS",
    "LONGEST_TEXT",
    "LONGEST_TIMING",
    "PARAMETERS",
    "AttributionParameters",
    "BotParameters",
    "ContentParameters",
    "ControlParameters",
    "CrashParameters",
    "DeviceParameters",
    "DimensionUrlGenerator",
    "EventParameters",
    "MediaParameters",
    "ObsoleteParameters",
    "OrderParameters",
    "PageParameters",
    "ProductViewParameters",
    "RequestParameters",
    "RestrictedParameters",
    "TimingParameters",
]

LONGEST_TIMING = 16_777_215
"""Milliseconds, an unsigned MEDIUMINT; what is above it is ignored."""

LONGEST_TEXT = 4096
"""Characters that Matomo's table of names, ``log_action``, holds."""

CHARACTERS: Mapping[str, int] = {
    "_id": 16,
    "city": 255,
    "country": 3,
    "ec_id": 100,
    "lang": 20,
    "pv_id": 6,
    "region": 3,
    "res": 9,
    "search_cat": 200,
    "source": 50,
    "uid": 200,
    "urlref": 1500,
}
"""How many characters of a value Matomo keeps, by the name on the wire."""


class RequestParameters(UrlGenerator):
    """What every hit has: the site, the visitor, the page and the time."""

    site_id = UP("idsite", True, "integer", minimum=1, meaning="Id of the site.")
    record = UP("rec", True, values=("1",), meaning="Must be 1, or nothing is kept.")
    api_version = UP("apiv", values=("1",), meaning="Version of the API.")
    url = UP("url", max_bytes=1024, meaning="Address of the page.")
    referrer = UP("urlref", meaning="Address of the page before.")
    visitor_id = UP("cid", meaning="Visitor, 16 hexadecimal digits; no guessing.")
    soft_visitor_id = UP("_id", meaning="Visitor, or else one with the same device.")
    user_id = UP("uid", meaning="User, as the site knows them.")
    new_visit = UP("new_visit", type="boolean", meaning="Whether a visit begins here.")
    user_agent = UP("ua", meaning="User agent of the visitor.")
    client_hints = UP("uadata", meaning="Client hints of the browser, as JSON.")
    language = UP("lang", meaning="Languages, as in Accept-Language.")
    resolution = UP("res", meaning="Size of the screen, WIDTHxHEIGHT.")
    hour = UP("h", type="integer", minimum=0, meaning="Hour where the visitor is.")
    minute = UP("m", type="integer", minimum=0, meaning="Minute where the visitor is.")
    second = UP("s", type="integer", minimum=0, meaning="Second where the visitor is.")
    visit_variables = UP("_cvar", meaning="Custom variables of the visit, as JSON.")
    cache_buster = UP("rand", meaning="Random text against caches.")
    short_cache_buster = UP("r", meaning="Random text against caches.")


class DeviceParameters(UrlGenerator):
    """What the browser can do; only the browser itself knows."""

    flash = UP("fla", type="boolean", meaning="Has Flash.")
    java = UP("java", type="boolean", meaning="Has Java.")
    quicktime = UP("qt", type="boolean", meaning="Has QuickTime.")
    realplayer = UP("realp", type="boolean", meaning="Has RealPlayer.")
    pdf = UP("pdf", type="boolean", meaning="Shows PDF.")
    windows_media = UP("wma", type="boolean", meaning="Has Windows Media.")
    silverlight = UP("ag", type="boolean", meaning="Has Silverlight.")
    director = UP("dir", type="boolean", meaning="Has Director; no longer read.")
    gears = UP("gears", type="boolean", meaning="Has Gears; no longer read.")
    cookies = UP("cookie", type="boolean", meaning="Takes cookies.")


class AttributionParameters(UrlGenerator):
    """What a conversion is owed to; visits take it from the address."""

    campaign = UP("_rcn", meaning="Campaign of a conversion.")
    keyword = UP("_rck", meaning="Keyword of a conversion's campaign.")
    referrer_time = UP("_refts", type="integer", meaning="When the referrer was kept.")
    referrer = UP("_ref", meaning="Referrer of a conversion.")


class PageParameters(UrlGenerator):
    """A page view, or what may stand in its place: search, download, outlink."""

    title = UP("action_name", max_bytes=1024, meaning="Title of the page.")
    pageview_id = UP("pv_id", meaning="Page view that events belong to.")
    search = UP("search", meaning="What was searched for on the site.")
    search_category = UP("search_cat", meaning="Where it was searched for.")
    search_count = UP(
        "search_count", type="integer", minimum=0, meaning="How many were found."
    )
    outlink = UP("link", meaning="Address of another site that was followed.")
    download = UP("download", meaning="Address of a file that was fetched.")
    variables = UP("cvar", meaning="Custom variables of the page, as JSON.")


class TimingParameters(UrlGenerator):
    """How long a page view took, in milliseconds."""

    network = UP("pf_net", type="integer", minimum=0, meaning="Connecting, in ms.")
    server = UP("pf_srv", type="integer", minimum=0, meaning="The answer, in ms.")
    transfer = UP("pf_tfr", type="integer", minimum=0, meaning="Transfer, in ms.")
    processing = UP("pf_dm1", type="integer", minimum=0, meaning="Parsing, in ms.")
    completion = UP("pf_dm2", type="integer", minimum=0, meaning="Subresources, in ms.")
    onload = UP("pf_onl", type="integer", minimum=0, meaning="Load handlers, in ms.")


class EventParameters(UrlGenerator):
    """An event; *custom_action* keeps it from being taken for a page view."""

    category = UP("e_c", meaning="Category of the event.")
    action = UP("e_a", meaning="Action of the event.")
    name = UP("e_n", meaning="Name of the event.")
    value = UP("e_v", type="number", meaning="Value of the event.")
    variables = UP("e_cvar", meaning="Custom variables of the event, as JSON.")
    custom_action = UP("ca", type="boolean", meaning="Never counts as a page view.")


class ContentParameters(UrlGenerator):
    """A piece of content that was shown, or used."""

    name = UP("c_n", meaning="Name of the content.")
    piece = UP("c_p", meaning="The piece: text, image, video.")
    target = UP("c_t", meaning="Where the content leads to.")
    interaction = UP("c_i", meaning="What the visitor did with it.")


class OrderParameters(UrlGenerator):
    """A goal, an order (goal 0 with an order id) or a cart (goal 0 without)."""

    goal = UP("idgoal", type="integer", minimum=0, meaning="Goal; 0 is a sale.")
    revenue = UP("revenue", type="number", meaning="What the goal or order brings.")
    order_id = UP("ec_id", meaning="Order; one with a known id is not kept twice.")
    items = UP("ec_items", meaning="All items: SKU, name, category, price, quantity.")
    subtotal = UP("ec_st", type="number", meaning="Sum of the items.")
    tax = UP("ec_tx", type="number", meaning="Tax.")
    shipping = UP("ec_sh", type="number", meaning="Shipping.")
    discount = UP("ec_dt", type="number", meaning="Discount.")


class ProductViewParameters(UrlGenerator):
    """A product that was looked at, or a category."""

    sku = UP("_pks", meaning="SKU of the product.")
    name = UP("_pkn", meaning="Name of the product.")
    category = UP("_pkc", meaning="Category, or JSON of up to five.")
    price = UP("_pkp", type="number", meaning="Price of the product.")


class RestrictedParameters(UrlGenerator):
    """What a token is needed for, a time only if it is more than a day ago."""

    token = UP("token_auth", meaning="Token of a user who may write to the site.")
    address = UP("cip", meaning="Address of the visitor.")
    time = UP("cdt", meaning="When it happened, in UTC.")
    seconds_ago = UP("cdo", type="integer", meaning="How many seconds before.")
    country = UP("country", meaning="Country, two letters.")
    region = UP("region", meaning="Region of the country.")
    city = UP("city", meaning="City.")
    latitude = UP("lat", type="number", meaning="Latitude in degrees.")
    longitude = UP("long", type="number", meaning="Longitude in degrees.")


class MediaParameters(UrlGenerator):
    """A film or sound; for Matomo's plugin Media Analytics."""

    media_id = UP("ma_id", meaning="Id, the same while one medium plays.")
    resource = UP("ma_re", meaning="Address of the medium.")
    kind = UP("ma_mt", values=("video", "audio"), meaning="Kind of medium.")
    title = UP("ma_ti", meaning="Title of the medium.")
    player = UP("ma_pn", meaning="Name of the player.")
    played = UP("ma_st", type="integer", minimum=0, meaning="Seconds played.")
    length = UP("ma_le", type="integer", minimum=0, meaning="Length in seconds.")
    position = UP("ma_ps", type="integer", minimum=0, meaning="Where it is, seconds.")
    waited = UP("ma_ttp", type="integer", minimum=0, meaning="Seconds until it played.")
    width = UP("ma_w", type="integer", minimum=0, meaning="Width in pixels.")
    height = UP("ma_h", type="integer", minimum=0, meaning="Height in pixels.")
    fullscreen = UP("ma_fs", type="boolean", meaning="Whether it fills the screen.")
    segments = UP("ma_se", meaning="Which seconds were played.")


class CrashParameters(UrlGenerator):
    """An error; for Matomo's plugin Crash Analytics."""

    message = UP("cra", meaning="What the error says.")
    stack = UP("cra_st", meaning="Stack trace.")
    category = UP("cra_ct", meaning="Category of the error.")
    kind = UP("cra_tp", meaning="Type of the error.")
    resource = UP("cra_ru", meaning="Address of the source file.")
    line = UP("cra_rl", type="integer", minimum=0, meaning="Line in the source.")
    column = UP("cra_rc", type="integer", minimum=0, meaning="Column in the source.")


class BotParameters(UrlGenerator):
    """Robots: kept out, taken as visitors, or recorded for themselves (5.7)."""

    allow = UP("bots", type="boolean", meaning="Takes robots for visitors.")
    mode = UP(
        "recMode",
        values=("1", "2"),
        meaning="Robots only by 1, robots sorted out by 2.",
    )
    status = UP("http_status", type="integer", minimum=100, meaning="Status answered.")
    size = UP("bw_bytes", type="integer", minimum=0, meaning="Bytes answered.")
    source = UP("source", meaning="What recorded it.")


class ControlParameters(UrlGenerator):
    """How the request is to be taken."""

    charset = UP("cs", meaning="Charset of the values.")
    send_image = UP(
        "send_image", type="boolean", meaning="Asks for an empty answer by 0."
    )
    ping = UP("ping", type="boolean", meaning="Only makes the visit longer.")
    queued = UP("queuedtracking", values=("0",), meaning="Goes past the queue by 0.")
    debug = UP("debug", values=("1",), meaning="Asks for the tracker's own log.")
    location = UP("dp", type="boolean", meaning="Finds the country by language.")
    consent = UP("consent", values=("1",), meaning="Consent was given; not read.")
    data = UP("data", meaning="Data for plugins, as JSON.")
    install_check = UP("tracker_install_check", meaning="Test of an installation.")


class ObsoleteParameters(UrlGenerator):
    """What Matomo 4 and later do not read."""

    visit_count = UP("_idvc", meaning="Number of the visit; not read.")
    first_visit = UP("_idts", meaning="First visit; not read.")
    last_visit = UP("_viewts", meaning="Visit before; not read.")
    last_order = UP("_ects", meaning="Order before; not read.")
    is_new = UP("_idn", meaning="Whether the visitor is new; not read.")
    generation_time = UP("gt_ms", meaning="Time of the answer; now pf_srv.")


class DimensionUrlGenerator(UrlGenerator):
    """Custom dimensions by their ids; subclass it with a `VP(id)` for each."""

    class Meta:
        abstract = True
        custom_prefix = "dimension"
        indexes = range(1, 1000)
        custom_parameter = UP("", meaning="Value of a custom dimension.")


PARAMETERS: Mapping[str, UrlParameter] = {
    parameter.wire_name: parameter
    for generator in (
        RequestParameters,
        DeviceParameters,
        AttributionParameters,
        PageParameters,
        TimingParameters,
        EventParameters,
        ContentParameters,
        OrderParameters,
        ProductViewParameters,
        RestrictedParameters,
        MediaParameters,
        CrashParameters,
        BotParameters,
        ControlParameters,
        ObsoleteParameters,
    )
    for parameter in generator.parameters.values()
}
