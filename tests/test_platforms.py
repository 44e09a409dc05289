"""What consent platforms keep in their cookies, and what is read of it."""

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_tracking import ConfigurationError, Request, Settings
from server_tracking.hits import Consent
from server_tracking.platforms import (
    cookiebot,
    django_cookie_consent,
    google_consent,
    klaro,
    onetrust,
    tcf,
    tcf_consent_from,
)

ALL = Consent(True, True, True)
ANALYTICS = Consent(analytics=True)
NONE = Consent(analytics=False)
ADS_ALONE = Consent(False, True, True)


def asked(resolve, **cookies):
    header = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return resolve(Request("GET", "/", headers={"cookie": header} if header else {}))


# TC strings, written bit by bit from the specification's table.


def tc_string(purposes=(), vendors=(), *, version=2, policy=4, ranges=(), most=None):
    bits = (
        f"{version:06b}" + "0" * 36 * 2 + "0" * 12 * 2 + "0" * 6 + "0" * 12 + "0" * 12
    )
    bits += f"{policy:06b}" + "0" * 2 + "0" * 12
    assert len(bits) == 152
    bits += "".join("01"[n in purposes] for n in range(1, 25))
    bits += "0" * 24 + "0" + "0" * 12
    top = most if most is not None else max(vendors, default=0)
    if ranges:
        bits += f"{most:016b}1{len(ranges):012b}"
        for first, last in ranges:
            bits += f"0{first:016b}" if first == last else f"1{first:016b}{last:016b}"
    else:
        bits += f"{top:016b}0" + "".join("01"[n in vendors] for n in range(1, top + 1))
    bits += "0" * (-len(bits) % 8)
    data = int(bits, 2).to_bytes(len(bits) // 8, "big")
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


TCF = [
    ((1, 8), (), {}, ANALYTICS),
    ((1, 3, 4, 8), (), {}, ALL),
    ((1, 3, 4), (), {}, ADS_ALONE),
    ((1,), (), {}, NONE),
    ((8,), (), {}, NONE),
    ((), (), {}, NONE),
    ((1, 8), (755,), {"vendor": 755}, ANALYTICS),
    ((1, 8), (754,), {"vendor": 755}, NONE),
    ((1, 9), (), {"purposes": (1, 9)}, ANALYTICS),
]


@pytest.mark.parametrize(("purposes", "vendors", "options", "consent"), TCF)
def test_purposes_and_vendors_decide(purposes, vendors, options, consent):
    text = tc_string(purposes, vendors)

    assert asked(tcf(**options), **{"euconsent-v2": text}) == consent


def test_vendors_may_come_in_ranges():
    said = tcf_consent_from(tc_string(ranges=((2, 2), (5, 7)), most=9))

    assert said.vendors == {2, 5, 6, 7}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "CO5",
        "1YNN",
        tc_string(version=1),
        tc_string((1, 8), (755,))[:-4],  # cut off
        tc_string(ranges=((5, 12),), most=9),  # beyond the highest
        tc_string(ranges=((7, 5),), most=9),
        tc_string((1, 8)) + "=",
        "C" * 5000,
        "C" * 65_536,
        "COvFyGBOvFyGBAbAAAENAPCAAOAAAAAAAAAAA\u00e9",
        "\ud800",
    ],
)
def test_what_is_no_tc_string_is_no_decision(text):
    assert tcf_consent_from(text) is None
    assert asked(tcf(), **{"euconsent-v2": text}) is None


def test_strings_of_older_policies_are_no_decision():
    old, new = (tc_string((1, 8), policy=policy) for policy in (3, 4))

    assert asked(tcf(), **{"euconsent-v2": old}) is None
    assert asked(tcf(), **{"euconsent-v2": new}) == ANALYTICS


def test_further_segments_are_not_looked_at():
    assert tcf_consent_from(tc_string((1,)) + ".YAAA.IAAA").purposes == {1}


@given(st.sets(st.integers(1, 24)), st.sets(st.integers(1, 300)))
def test_a_tc_string_is_read_as_it_was_written(purposes, vendors):
    said = tcf_consent_from(tc_string(purposes, vendors))

    assert (said.purposes, said.vendors) == (purposes, vendors)


CLOSED = {"OptanonAlertBoxClosed": "2026-11-20T10:00:00.000Z"}
ONETRUST = [
    ("C0001:1,C0002:1,C0003:0,C0004:0", ANALYTICS),
    ("C0001:1,C0002:1,C0004:1", ALL),
    ("C0001:1,C0002:0,C0004:0", NONE),
    ("C0001:1,C0002:0,C0004:1", ADS_ALONE),
    ("C0001:1", None),
    ("", None),
]


@pytest.mark.parametrize(("groups", "consent"), ONETRUST)
def test_onetrust_tells_by_groups(groups, consent):
    value = f"isGpcEnabled=0&version=202411.1.0&groups={quote(groups)}&hosts="

    assert asked(onetrust(), OptanonConsent=value, **CLOSED) == consent


def test_onetrusts_presets_are_no_decision():
    groups = f"groups={quote('C0002:1')}"

    assert asked(onetrust(), OptanonConsent=groups) is None
    again = f"{groups}&AwaitingReconsent=true"
    assert asked(onetrust(), OptanonConsent=again, **CLOSED) is None


def cookiebot_value(statistics, marketing):
    return quote(
        "{stamp:'x==',necessary:true,preferences:false,"
        f"statistics:{statistics},marketing:{marketing},method:'explicit',ver:1}}",
        safe="{}:",
    )


@pytest.mark.parametrize(
    ("value", "consent"),
    [
        (cookiebot_value("true", "true"), ALL),
        (cookiebot_value("true", "false"), ANALYTICS),
        (cookiebot_value("false", "false"), NONE),
        ("-1", None),
        ("0", None),
        ("{}", None),
    ],
)
def test_cookiebot_tells_by_category(value, consent):
    assert asked(cookiebot(), CookieConsent=value) == consent


@pytest.mark.parametrize(
    ("said", "consent"),
    [
        ({"matomo": True, "ads": True}, ALL),
        ({"matomo": True}, ANALYTICS),
        ({"matomo": False}, NONE),
        ({"other": True}, None),
        ({"matomo": "yes"}, None),
        ([1], None),
    ],
)
def test_klaro_tells_by_service(said, consent):
    resolve = klaro("matomo", advertising="ads")

    assert asked(resolve, klaro=quote(json.dumps(said))) == consent


@pytest.mark.parametrize(
    ("value", "consent"),
    [
        ("analytics=2026-01-02T10:00:00+00:00|social=-1", ANALYTICS),
        ("social=2026-01-02T10:00:00|analytics=-1", NONE),
        ("analytics=2025-01-02T10:00:00+00:00", None),  # before the version
        ("analytics=2026-01-02T10:00:00", None),  # cannot be compared
        ("social=-1", None),
        ("analytics=soon", None),
    ],
)
def test_django_cookie_consent_tells_by_group(value, consent):
    resolve = django_cookie_consent(version="2026-01-01T00:00:00+00:00")

    assert asked(resolve, cookie_consent=f'"{value}"') == consent


@pytest.mark.parametrize(
    ("value", "consent"),
    [
        (
            {
                "analytics_storage": "granted",
                "ad_user_data": "granted",
                "ad_personalization": "denied",
            },
            Consent(True, True, False),
        ),
        ({"analytics_storage": "denied"}, NONE),
        ({"ad_storage": "granted"}, None),
        ("G111", ANALYTICS),
        ("G110", NONE),
        ("G1--", None),
        ("G11-", None),
        ("G2", None),
    ],
)
def test_googles_state_is_read_where_a_page_keeps_it(value, consent):
    text = value if isinstance(value, str) else quote(json.dumps(value))

    assert asked(google_consent(), consentMode=text) == consent


RESOLVERS = {
    "euconsent-v2": tcf(),
    "OptanonConsent": onetrust(),
    "CookieConsent": cookiebot(),
    "klaro": klaro("a"),
    "cookie_consent": django_cookie_consent(),
    "consentMode": google_consent(),
}


@pytest.mark.parametrize("name", RESOLVERS)
@given(value=st.text(st.characters(codec=None), max_size=80))
def test_no_cookie_is_too_odd(name, value):
    answer = asked(RESOLVERS[name], OptanonAlertBoxClosed="x", **{name: value})

    assert answer is None or isinstance(answer, Consent)


@pytest.mark.parametrize("name", RESOLVERS)
def test_without_a_cookie_nobody_has_said_anything(name):
    assert asked(RESOLVERS[name]) is None


@pytest.mark.parametrize("name", ["tcf", "onetrust", "cookiebot", "google_consent"])
def test_a_ready_platform_goes_by_its_name(name):
    assert callable(Settings(consent_resolver=name).resolver)


def everyone_agrees(_request):
    return True


def test_a_resolver_goes_by_its_path():
    path = "server_tracking.consent.consent_from"

    assert Settings.from_env({"SERVER_TRACKING_CONSENT_RESOLVER": path}).resolver


def test_a_resolver_may_be_a_function():
    settings = Settings.from_mapping({"consent_resolver": everyone_agrees})

    assert settings.resolver is everyone_agrees


@pytest.mark.parametrize(
    "odd", ["nosuch", "no.such.thing", "server_tracking.consent.PERMITS", "", 7]
)
def test_a_resolver_that_is_none_is_refused(odd):
    with pytest.raises(ConfigurationError, match="consent_resolver") as caught:
        Settings(consent_resolver=odd)

    assert repr(odd) in str(caught.value)
