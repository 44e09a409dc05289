"""From a request to a context: consent, identity, cookies, page."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_tracking import (
    ConfigurationError,
    Request,
    Response,
    Settings,
    get_default_parameters,
    get_title,
    request_from,
)
from server_tracking.cookies import CookieSigner, may_carry_cookie
from server_tracking.extractor import extractor_from
from server_tracking.reasons import Reason

KEY = "a secret key for tests"
SETTINGS = Settings(secret_key=KEY, ignore_bots=False)
NOW = 1_790_000_000
DAY = 24 * 3600
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def request_of(cookie=None, **more):
    headers = {
        "user-agent": AGENT,
        **more.pop("headers", {}),
    }
    if cookie:
        headers["cookie"] = cookie
    return Request("GET", "/", host="example.com", headers=headers, **more)


def recognized(settings=SETTINGS, now=NOW, **more):
    request = request_of(**more)
    extractor = extractor_from(settings)
    recognition = extractor.recognize(request, now)
    return recognition, extractor.cookies(request, recognition, now)


def value_of(cookies, name):
    [value] = [
        cookie.partition("=")[2].partition(";")[0]
        for cookie in cookies
        if cookie.startswith(f"{name}=")
    ]
    return value


def test_a_new_visitor_gets_a_session_cookie():
    recognition, cookies = recognized()

    [cookie] = cookies
    assert cookie.startswith(f"vn=1.{recognition.identity.client_id}.{NOW}.1.{NOW}.0.")
    assert cookie.endswith("; Path=/; Secure; HttpOnly; SameSite=Lax")


def test_a_known_visitor_keeps_who_they_are():
    first, cookies = recognized()

    second, more = recognized(cookie=f"vn={value_of(cookies, 'vn')}", now=NOW + 10)

    assert second.identity.client_id == first.identity.client_id
    assert second.session.id == NOW
    assert more == []


def test_acceptance_makes_the_cookie_permanent():
    first, cookies = recognized()
    vn = value_of(cookies, "vn")

    second, cookies = recognized(cookie=f"vn={vn}; cookie_action=accept", now=NOW + 9)

    status, action, identity = cookies
    assert status == (
        f"cookie_status=1; Path=/; Max-Age={180 * DAY}; Secure; SameSite=Lax"
    )
    assert action == "cookie_action=; Path=/; Max-Age=0; Secure; SameSite=Lax"
    assert f"; Max-Age={395 * DAY}; Secure; HttpOnly" in identity
    assert second.identity.client_id == first.identity.client_id
    assert second.refusal is None


def test_a_permanent_cookie_is_not_renewed_beyond_its_age():
    _, cookies = recognized(cookie="cookie_action=accept")
    vn = value_of(cookies, "vn")

    _, [cookie] = recognized(cookie=f"vn={vn}; cookie_status=1", now=NOW + 10 * DAY)

    assert f"; Max-Age={385 * DAY};" in cookie


def test_refusal_forgets_the_visitor_and_sends_nothing():
    _, cookies = recognized()
    vn = value_of(cookies, "vn")

    recognition, cookies = recognized(cookie=f"vn={vn}; cookie_action=refuse")

    assert recognition.refusal is Reason.DENIED
    assert recognition.identity is None
    assert [cookie.partition(";")[0] for cookie in cookies] == [
        "cookie_status=0",
        "cookie_action=",
        "vn=",
    ]
    assert all("Max-Age=0" in cookie for cookie in cookies[1:])


def test_after_a_refusal_nothing_is_set():
    recognition, cookies = recognized(cookie="cookie_status=0")

    assert (recognition.refusal, cookies) == (Reason.DENIED, [])


def test_withdrawal_ends_a_permanent_cookie():
    _, cookies = recognized(cookie="cookie_action=accept")
    vn = value_of(cookies, "vn")

    recognition, cookies = recognized(
        cookie=f"vn={vn}; cookie_status=1; cookie_action=withdraw"
    )

    assert recognition.refusal is Reason.DENIED
    assert cookies[-1].startswith("vn=; Path=/; Max-Age=0")


@pytest.mark.parametrize(
    ("mode", "refusal", "max_age"),
    [
        ("session", None, False),
        ("opt-in", Reason.UNDECIDED, False),
        ("opt-out", None, True),
    ],
)
def test_the_mode_says_what_an_undecided_visitor_gets(mode, refusal, max_age):
    settings = Settings(secret_key=KEY, consent_mode=mode, ignore_bots=False)
    recognition, cookies = recognized(settings)

    assert recognition.refusal is refusal
    assert bool(cookies) is (refusal is None)
    assert any("Max-Age" in cookie for cookie in cookies) is max_age


@pytest.mark.parametrize(
    ("name", "value", "objects"),
    [
        ("sec-gpc", "1", True),
        ("sec-gpc", "0, 1", True),
        ("sec-gpc", "1, 0", True),
        ("sec-gpc", "0", False),
        ("sec-gpc", "true", False),
        ("sec-gpc", "01", False),
        ("sec-gpc", "1;x", False),
        ("sec-gpc", "", False),
        ("dnt", "1", True),
        ("dnt", "0", False),
    ],
)
def test_a_browser_may_object(name, value, objects):
    recognition, cookies = recognized(headers={name: value})

    assert recognition.refusal is (Reason.SIGNALLED if objects else None)
    assert bool(cookies) is not objects


def test_one_of_several_lines_is_enough_to_object(browser):
    headers = {**browser, "Host": "example.com"}
    lines = [(n.lower().encode(), v.encode()) for n, v in headers.items()]
    lines += [(b"sec-gpc", b"0"), (b"sec-gpc", b"1")]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": lines}

    recognition = extractor_from(SETTINGS).recognize(request_from(scope), NOW)

    assert recognition.refusal is Reason.SIGNALLED


def test_signals_can_be_switched_off():
    settings = Settings(secret_key=KEY, honor_gpc=False, honor_dnt=False)

    recognition, _ = recognized(settings, headers={"sec-gpc": "1", "dnt": "1"})

    assert recognition.refusal is None


def test_the_sites_own_people_are_not_tracked():
    extractor = extractor_from(SETTINGS)
    own = value_of([extractor.own_cookie(request_of(), NOW)], "its_me")

    recognition, cookies = recognized(cookie=f"its_me={own}")

    assert (recognition.refusal, cookies) == (Reason.OWN, [])


def test_a_planted_own_cookie_counts_for_nothing():
    assert recognized(cookie="its_me=1")[0].refusal is None


def test_robots_are_not_tracked():
    recognition, cookies = recognized(
        Settings(secret_key=KEY), headers={"user-agent": "Googlebot/2.1"}
    )

    assert (recognition.refusal, cookies) == (Reason.BOT, [])


FORGED = [
    "vn=1.7.1780000000.1790000000.1.1790000000.0",
    "vn=" + CookieSigner([KEY], "own").sign("1.7.1780000000.1790000000.1.1790000000.0"),
    "vn=" + CookieSigner([KEY], "visitor").sign("2.unknown.form"),
    "vn=" + "x" * 5000,
    "vn=\ud800",
    'vn="',
]


@pytest.mark.parametrize("cookie", FORGED)
def test_what_is_not_ours_gives_a_new_visitor(cookie):
    recognition, _ = recognized(cookie=cookie)

    assert recognition.session.is_new
    assert not recognition.identity.client_id.startswith("7.")


def test_two_cookies_of_our_name_count_as_none():
    _, cookies = recognized()
    vn = value_of(cookies, "vn")

    assert recognized(cookie=f"vn={vn}; vn={vn}")[0].session.is_new


def test_a_retired_key_still_verifies():
    _, cookies = recognized(Settings(secret_key="the old key, once"))
    rotated = Settings(secret_key=("the new key, now", "the old key, once"))

    recognition, _ = recognized(rotated, cookie=f"vn={value_of(cookies, 'vn')}")

    assert not recognition.session.is_new


CACHING = [
    (200, None, True),
    (200, "", True),
    (200, "no-cache", True),
    (200, "private, max-age=600", True),
    (200, "max-age=0", True),
    (200, "no-store, public", True),
    (200, "public", False),
    (200, "max-age=600", False),
    (200, "s-maxage=0", False),
    (200, "PUBLIC", False),
    (304, None, False),
    (404, None, True),
    (500, None, False),
    (503, "private", False),
]


@pytest.mark.parametrize(("status", "cache_control", "may"), CACHING)
def test_a_cookie_goes_only_where_no_shared_cache_keeps_it(status, cache_control, may):
    assert may_carry_cookie(status, cache_control) is may


def test_default_parameters_tell_all_of_a_request():
    request = Request(
        "GET",
        "/shop",
        host="example.com",
        query="utm_source=mail&gclid=abc&token=hush",
        headers={
            "user-agent": AGENT,
            "accept-language": "de;q=0.5, en-gb",
            "referer": "https://other.example/search?q=hush",
        },
        address="203.0.113.0",
    )
    response = Response(
        200, [("Content-Type", "text/html; charset=utf-8")], [b"<title>Shop</title>"]
    )

    context = get_default_parameters(request, response, settings=SETTINGS)

    assert context.page.url == "https://example.com/shop?utm_source=mail"
    assert (context.page.host, context.page.path) == ("example.com", "/shop")
    assert (context.page.title, context.page.encoding) == ("Shop", "utf-8")
    assert context.page.referrer == "https://other.example/search"
    assert (context.campaign.source, context.campaign.click_ids) == (
        "mail",
        {"gclid": "abc"},
    )
    assert context.device.language == "en-GB"
    assert context.address == "203.0.113.0"
    assert context.visitor.is_new
    assert context.session.number == 1
    assert context.consent.analytics is None
    assert [name for name, _ in response.headers] == ["Content-Type", "Set-Cookie"]


def test_a_request_without_a_host_has_a_path_and_no_url():
    context = get_default_parameters(Request("GET", "/a"), settings=SETTINGS)

    assert (context.page.url, context.page.host, context.page.path) == (
        None,
        None,
        "/a",
    )


def test_a_refused_request_has_a_context_that_says_so():
    context = get_default_parameters(
        request_of(cookie="cookie_status=0"), settings=SETTINGS
    )

    assert context.consent.analytics is False


def test_a_user_agent_is_cut_and_made_printable():
    request = request_of(headers={"user-agent": "Mozilla/5.0\r\nX: y" + "z" * 600})

    agent = get_default_parameters(request, settings=SETTINGS).device.user_agent

    assert agent.startswith("Mozilla/5.0X: y")
    assert len(agent) <= 512


def test_a_request_is_viewed_from_either_kind_of_server():
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/a", "REMOTE_ADDR": "203.0.113.9"}
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/a",
        "client": ("203.0.113.9", 1),
    }

    for source in (environ, scope):
        request = request_from(source)
        assert (request.path, request.address) == ("/a", "203.0.113.0")


def test_a_proxy_is_believed_only_if_it_is_trusted():
    environ = {
        "REQUEST_METHOD": "GET",
        "REMOTE_ADDR": "10.0.0.2",
        "HTTP_X_FORWARDED_FOR": "6.6.6.6, 198.51.100.7",
    }

    assert request_from(environ).address == "10.0.0.0"
    trusting = Settings(trusted_proxies=("10.0.0.0/8",))
    assert request_from(environ, settings=trusting).address == "198.51.100.0"
    counting = Settings(trusted_hops=1)
    assert request_from(environ, settings=counting).address == "198.51.100.0"


def test_whole_addresses_are_sent_only_on_demand():
    environ = {"REQUEST_METHOD": "GET", "REMOTE_ADDR": "198.51.100.7"}

    settings = Settings(anonymize_ip=False)

    assert request_from(environ, settings=settings).address == "198.51.100.7"


@pytest.mark.parametrize(
    ("level", "address"),
    [(True, "198.51.100.0"), ("strict", "198.51.0.0"), ("omit", None)],
)
@pytest.mark.parametrize("trusting", [{}, {"trusted_hops": 1}])
def test_how_much_of_an_address_is_told_has_levels(level, address, trusting):
    environ = {
        "REQUEST_METHOD": "GET",
        "REMOTE_ADDR": "10.0.0.2" if trusting else "198.51.100.7",
        "HTTP_X_FORWARDED_FOR": "198.51.100.7",
    }
    settings = Settings(anonymize_ip=level, **trusting)

    assert request_from(environ, settings=settings).address == address
    assert Settings.from_env({"SERVER_TRACKING_ANONYMIZE_IP": str(level)}) == Settings(
        anonymize_ip=level
    )


def test_a_response_without_html_has_no_title():
    json = Response(200, [("Content-Type", "application/json")], [b"<title>x</title>"])

    assert get_title(json) is None
    assert (
        get_title(Response(200, [("Content-Type", "text/html")], iter([b"x"]))) is None
    )


def test_both_ways_to_trust_a_proxy_at_once_are_refused():
    with pytest.raises(ConfigurationError, match="trusted_hops"):
        Settings(trusted_proxies=("10.0.0.0/8",), trusted_hops=1)


headers = st.dictionaries(
    st.sampled_from(
        ["user-agent", "cookie", "referer", "accept-language", "sec-gpc", "dnt", "host"]
    ),
    st.text(st.characters(codec=None), max_size=60)
    | st.sampled_from(["cookie_action=accept", "vn=1.2.3", "https://[::1", "de;q=9"]),
)


@given(
    st.text(st.characters(codec=None), max_size=40),
    st.text(st.characters(codec=None), max_size=40),
    headers,
    st.text(max_size=20),
)
def test_no_request_is_too_odd(path, query, given_headers, root):
    request = Request(
        "GET",
        path,
        query=query,
        headers=given_headers,
        root_path=root,
        host="a.example",
    )
    response = Response(
        200, [("Content-Type", "text/html")], [path.encode("utf-8", "replace")]
    )

    context = get_default_parameters(request, response, settings=SETTINGS)

    assert context.page.path
    for _, value in response.headers:
        assert not set(value) & set("\r\n")
