"""What each answer stores: every mode, state and action, header by header."""

import pytest

from server_tracking import ConfigurationError, Request, Settings
from server_tracking.consent import CONSENT_MODES
from server_tracking.extractor import UNRECOGNIZED, Extractor
from server_tracking.hits import Consent
from server_tracking.reasons import Reason
from server_tracking.salts import MemorySalt

KEY = "a secret key for tests"
NOW = 1_790_000_000
DAY = 24 * 3600
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
STATUS = "cookie_status={}; Path=/; Max-Age=15552000; Secure; SameSite=Lax"
ACTED = "cookie_action=; Path=/; Max-Age=0; Secure; SameSite=Lax"
GONE = "vn=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax"
FOR_SESSION = "vn=*; Path=/; Secure; HttpOnly; SameSite=Lax"
KEPT = "vn=*; Path=/; Max-Age=34128000; Secure; HttpOnly; SameSite=Lax"
ACCEPTED, REFUSED = STATUS.format(1), STATUS.format(0)


def extractor_of(mode="session", **options):
    return Extractor(
        Settings(
            secret_key=KEY,
            consent_mode=mode,
            cookieless_salt=MemorySalt(),
            **options,
        )
    )


def request_of(*cookies, **headers):
    given = {
        "user-agent": AGENT,
        **{k.replace("_", "-"): v for k, v in headers.items()},
    }
    if cookies:
        given["cookie"] = "; ".join(cookies)
    return Request("GET", "/", host="example.com", headers=given)


def answered(extractor, *cookies, now=NOW, **headers):
    request = request_of(*cookies, **headers)
    recognition = extractor.recognize(request, now)
    return recognition, extractor.cookies(request, recognition, now)


def masked(headers):
    """Put a star for the value of an id cookie that is set."""
    return [
        f"vn=*;{header.partition(';')[2]}" if header.startswith("vn=1.") else header
        for header in headers
    ]


def id_cookie(extractor, *cookies):
    _, headers = answered(extractor, *cookies)
    [found] = [h for h in headers if h.startswith("vn=1.")]
    return found.partition(";")[0]


FIRST = [
    # mode, state, headers for a visitor without an id cookie
    ("session", "unknown", [FOR_SESSION]),
    ("opt-in", "unknown", []),
    ("cookieless", "unknown", []),
    ("opt-out", "unknown", [KEPT]),
    ("off", "unknown", [KEPT]),
    *((mode, "signalled", []) for mode in CONSENT_MODES if mode != "off"),
    ("off", "signalled", [KEPT]),
    *((mode, "granted", [KEPT]) for mode in CONSENT_MODES),
    *((mode, "denied", []) for mode in CONSENT_MODES),
]
SAID = {
    "unknown": ((), {}),
    "signalled": ((), {"sec_gpc": "1"}),
    "granted": (("cookie_status=1",), {}),
    "denied": (("cookie_status=0",), {}),
}


@pytest.mark.parametrize(("mode", "state", "headers"), FIRST)
def test_what_a_new_visitor_gets(mode, state, headers):
    cookies, told = SAID[state]

    _, got = answered(extractor_of(mode), *cookies, **told)

    assert masked(got) == headers


@pytest.mark.parametrize("mode", CONSENT_MODES)
@pytest.mark.parametrize("before", ["unknown", "signalled", "granted", "denied"])
@pytest.mark.parametrize("action", ["accept", "refuse", "withdraw"])
def test_what_an_action_gets(mode, before, action):
    extractor = extractor_of(mode)
    held = id_cookie(extractor_of("opt-out"))  # some mode of before had set it
    cookies, told = SAID[before]
    same = (before, action) in {
        ("granted", "accept"),
        ("denied", "refuse"),
        ("denied", "withdraw"),
    }

    recognition, got = answered(
        extractor, *cookies, held, f"cookie_action={action}", **told
    )

    if action == "accept":
        assert recognition.refusal is None
        assert masked(got) == ([ACTED] if same else [ACCEPTED, ACTED])
    else:
        assert recognition.refusal is Reason.DENIED
        assert masked(got) == ([ACTED, GONE] if same else [REFUSED, ACTED, GONE])


@pytest.mark.parametrize("mode", CONSENT_MODES)
@pytest.mark.parametrize("before", ["unknown", "signalled", "granted", "denied"])
@pytest.mark.parametrize("action", ["accept", "refuse", "withdraw"])
@pytest.mark.parametrize("kept_by", [None, "session", "opt-out"])
def test_the_endpoint_sets_what_the_action_cookie_would(mode, before, action, kept_by):
    extractor = extractor_of(mode)
    cookies, told = SAID[before]
    held = [id_cookie(extractor_of(kept_by))] if kept_by else []
    request = request_of(*cookies, *held, **told)

    recognition = extractor.recognize(request, NOW, action=action)
    got = extractor.cookies(request, recognition, NOW)

    _, expected = answered(
        extractor, *cookies, *held, f"cookie_action={action}", **told
    )
    assert masked(got) == masked(expected)


@pytest.mark.parametrize("mode", CONSENT_MODES)
def test_acceptance_begins_a_random_id_that_is_kept(mode):
    extractor = extractor_of(mode)
    before, _ = answered(extractor)

    after, got = answered(extractor, "cookie_action=accept")

    assert masked(got) == [ACCEPTED, ACTED, KEPT]
    if before.identity is not None:
        assert before.identity.client_id != after.identity.client_id


def test_a_repeated_action_sets_nothing_but_its_own_end():
    extractor = extractor_of()
    held = id_cookie(extractor, "cookie_status=1")

    for _ in range(3):
        _, got = answered(extractor, held, "cookie_status=1", "cookie_action=accept")
        assert got == [ACTED]


def test_an_action_that_cannot_be_deleted_is_heard_once():
    """A script has set it on a path of its own, so that our end of it does nothing."""
    extractor = extractor_of()
    jar = {"cookie_action": "accept"}
    got = []
    for _ in range(3):
        pairs = [f"{name}={value}" for name, value in jar.items()]
        _, headers = answered(extractor, *pairs)
        got.append(masked(headers))
        for header in headers:
            name, _, value = header.partition(";")[0].partition("=")
            if name != "cookie_action":
                jar[name] = value

    assert got == [[ACCEPTED, ACTED, KEPT], [ACTED], [ACTED]]


def test_an_unknown_action_only_goes():
    _, got = answered(extractor_of("opt-in"), "cookie_action=<script>")

    assert got == [ACTED]


@pytest.mark.parametrize(
    ("mode", "headers"),
    [("session", [FOR_SESSION]), ("opt-in", [GONE]), ("cookieless", [GONE])],
)
def test_a_grant_that_ran_out_ends_the_id_it_kept(mode, headers):
    extractor = extractor_of(mode)
    held = id_cookie(extractor, "cookie_status=1")

    before, _ = answered(extractor, held, "cookie_status=1", now=NOW + 9)
    after, got = answered(extractor, held, now=NOW + 10)

    assert masked(got) == headers
    if after.identity is not None:
        assert after.identity.client_id != before.identity.client_id


def test_a_new_version_asks_who_accepted_and_nobody_else():
    extractor = extractor_of("opt-in", consent_version=2)

    assert answered(extractor, "cookie_status=1")[0].refusal is Reason.UNDECIDED
    assert answered(extractor, "cookie_status=0")[0].refusal is Reason.DENIED
    assert answered(extractor, "cookie_status=1.2")[0].refusal is None
    _, got = answered(extractor, "cookie_status=1", "cookie_action=accept")
    assert got[0] == STATUS.format("1.2")


@pytest.mark.parametrize(
    ("mode", "headers"),
    [("session", [FOR_SESSION]), ("opt-in", [GONE]), ("cookieless", [GONE])],
)
def test_a_new_version_ends_the_id_that_the_old_one_kept(mode, headers):
    held = id_cookie(extractor_of(mode), "cookie_status=1")
    before, _ = answered(extractor_of(mode), held, "cookie_status=1")

    after, got = answered(
        extractor_of(mode, consent_version=2), held, "cookie_status=1"
    )

    assert masked(got) == headers
    if after.identity is not None:
        assert after.identity.client_id != before.identity.client_id


def test_a_decision_counts_as_long_as_is_configured():
    _, got = answered(extractor_of(consent_max_age=DAY), "cookie_action=refuse")

    assert "; Max-Age=86400;" in got[0]


def test_a_browser_that_objects_later_loses_its_id():
    extractor = extractor_of()

    _, got = answered(extractor, id_cookie(extractor), dnt="1")

    assert got == [GONE]


def test_the_sites_own_people_get_nothing_whatever_they_say():
    extractor = extractor_of()
    own = extractor.own_cookie(request_of(), NOW).partition(";")[0]

    recognition, got = answered(extractor, own, "cookie_action=accept")

    assert (recognition.refusal, got) == (Reason.OWN, [])


def test_nothing_is_set_where_nothing_could_be_read():
    request = request_of("vn=x", "cookie_action=accept")

    assert extractor_of().cookies(request, UNRECOGNIZED, NOW) == []


# What is configured

ATTRIBUTES = [
    # options, scheme, the attributes of the id cookie
    ({}, "https", "vn=*; Path=/; Secure; HttpOnly; SameSite=Lax"),
    ({}, "http", "vn=*; Path=/; HttpOnly; SameSite=Lax"),
    ({"cookie_secure": True}, "http", "vn=*; Path=/; Secure; HttpOnly; SameSite=Lax"),
    ({"cookie_secure": False}, "https", "vn=*; Path=/; HttpOnly; SameSite=Lax"),
    ({"cookie_httponly": False}, "https", "vn=*; Path=/; Secure; SameSite=Lax"),
    (
        {"cookie_samesite": "Strict"},
        "https",
        "vn=*; Path=/; Secure; HttpOnly; SameSite=Strict",
    ),
    (
        {"cookie_samesite": "None", "cookie_secure": True},
        "https",
        "vn=*; Path=/; Secure; HttpOnly; SameSite=None",
    ),
    (
        {"cookie_path": "/shop"},
        "https",
        "vn=*; Path=/shop; Secure; HttpOnly; SameSite=Lax",
    ),
    (
        {"consent_mode": "opt-out", "cookie_max_age": 7 * DAY},
        "https",
        "vn=*; Path=/; Max-Age=604800; Secure; HttpOnly; SameSite=Lax",
    ),
]


@pytest.mark.parametrize(("options", "scheme", "expected"), ATTRIBUTES)
def test_the_attributes_are_those_that_are_configured(options, scheme, expected):
    extractor = Extractor(Settings(secret_key=KEY, **options))
    request = Request("GET", "/", scheme=scheme, headers={"user-agent": AGENT})

    got = extractor.cookies(request, extractor.recognize(request, NOW), NOW)

    assert masked(got) == [expected]


@pytest.mark.parametrize("name", ["vn", "id", "_shop.visitor"])
def test_the_name_is_the_one_that_is_configured(name):
    _, [header] = answered(extractor_of(cookie_name=name))

    assert header.startswith(f"{name}=1.")


# The name with a prefix that browsers protect


def test_the_prefix_is_there_on_https_alone():
    extractor = extractor_of(cookie_host_prefix=True)
    plain = Request("GET", "/", scheme="http", headers={"user-agent": AGENT})

    _, [secure] = answered(extractor)
    [insecure] = extractor.cookies(plain, extractor.recognize(plain, NOW), NOW)

    assert secure.startswith("__Host-vn=1.")
    assert secure.endswith("; Path=/; Secure; HttpOnly; SameSite=Lax")
    assert insecure.startswith("vn=1.")


def test_a_cookie_without_the_prefix_names_nobody_on_https():
    extractor = extractor_of(cookie_host_prefix=True)
    _, [header] = answered(extractor)
    pair = header.partition(";")[0]

    assert not answered(extractor, pair)[0].session.is_new
    assert answered(extractor, pair.removeprefix("__Host-"))[0].session.is_new


def test_a_refusal_ends_both_names():
    extractor = extractor_of(cookie_host_prefix=True)

    _, got = answered(extractor, "vn=1", "__Host-vn=2", "cookie_status=0")

    assert got == [GONE, f"__Host-{GONE}"]


# A consent platform


def test_what_a_platform_says_is_frozen_into_the_context():
    extractor = extractor_of(
        "opt-in", consent_resolver=lambda _: Consent(True, True, False)
    )
    recognition, got = answered(extractor)

    context = extractor.context(request_of(), recognition)

    assert masked(got) == [KEPT]
    assert context.consent == Consent(True, True, False)


def test_a_platforms_refusal_needs_no_cookie_of_ours():
    extractor = extractor_of(consent_resolver=lambda _: False)

    recognition, got = answered(extractor, "cookie_status=1", "vn=x")

    assert (recognition.refusal, got) == (Reason.DENIED, [GONE])


def test_a_platform_that_says_nothing_leaves_it_to_the_mode():
    extractor = extractor_of("opt-in", consent_resolver=lambda _: None)

    assert answered(extractor)[0].refusal is Reason.UNDECIDED
    assert answered(extractor, "cookie_status=1")[0].refusal is None


# What is told before the visitor has decided

CAMPAIGN = Request(
    "GET",
    "/",
    host="example.com",
    query="utm_source=mail&gclid=abc",
    headers={"user-agent": AGENT},
    address="203.0.113.0",
)


@pytest.mark.parametrize(
    ("mode", "options", "reuse"),
    [
        ("session", {}, True),
        ("opt-out", {}, True),
        ("cookieless", {}, False),
        ("session", {"reuse_needs_consent": True}, False),
        ("opt-out", {"reuse_needs_consent": True}, False),
    ],
)
def test_click_ids_and_users_are_told_only_where_all_may_hear(mode, options, reuse):
    extractor = extractor_of(mode, **options)
    recognition = extractor.recognize(CAMPAIGN, NOW)

    context = extractor.context(CAMPAIGN, recognition, user_id="u-7")

    assert context.consent == Consent(reuse=reuse)
    assert context.campaign.source == "mail"
    assert context.campaign.click_ids == ({"gclid": "abc"} if reuse else {})
    assert context.visitor.user_id == ("u-7" if reuse else None)


def test_without_cookies_a_visitor_is_known_for_the_day():
    extractor = extractor_of("cookieless")

    first, second = (extractor.recognize(CAMPAIGN, NOW + gap) for gap in (0, 60))

    assert first.identity.client_id == second.identity.client_id
    assert first.session.id == second.session.id
    assert (first.session.is_new, second.session.is_new) == (True, False)
    assert extractor.cookies(CAMPAIGN, second, NOW) == []


# Wrong options


@pytest.mark.parametrize(
    ("option", "given", "more"),
    [
        ("consent_mode", "ask", {}),
        ("consent_version", 0, {}),
        ("consent_version", 10_000, {}),
        ("consent_max_age", 0, {}),
        ("cookie_host_prefix", True, {"cookie_path": "/shop"}),
        ("cookie_host_prefix", True, {"cookie_secure": False}),
        ("session_midnight", "Europe/Nowhere", {}),
        ("session_midnight", "../etc/passwd", {}),
        ("session_midnight", "", {}),
    ],
)
def test_a_wrong_option_is_refused_at_once(option, given, more):
    with pytest.raises(ConfigurationError) as caught:
        Settings(**{option: given}, **more)

    assert f"Option {option!r}: {given!r} was given; accepted is" in str(caught.value)
    assert caught.value.option == option


def test_a_visit_may_end_at_midnight_where_the_site_is():
    extractor = extractor_of(session_midnight="Europe/Berlin")
    midnight = 1_790_114_400  # 2026-09-23 00:00 in Berlin, 22:00 UTC the day before
    request = request_of()
    recognition = extractor.recognize(request, midnight - 120)
    [header] = extractor.cookies(request, recognition, midnight - 120)
    held = header.partition(";")[0]

    before, _ = answered(extractor, held, now=midnight - 60)
    after, _ = answered(extractor, held, now=midnight + 60)

    assert not before.session.is_new
    assert (after.session.is_new, after.session.number) == (True, 2)
    assert after.identity.client_id == before.identity.client_id
