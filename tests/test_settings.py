"""Settings: what is wrong is refused by name, with what is accepted."""

import msgspec
import pytest

from server_tracking import ConfigurationError, Settings
from server_tracking.settings import ENVIRONMENT_PREFIX

WRONG = [
    # option, value, what the message says
    ("cookie_name", "a b", "letters, digits"),
    ("cookie_name", "", "letters, digits"),
    ("cookie_path", "shop", "begins with a slash"),
    ("cookie_path", "/a; Domain=evil", "begins with a slash"),
    ("cookie_path", "/a\r\nX: y", "begins with a slash"),
    ("cookie_max_age", 0, "400 days"),
    ("cookie_max_age", 401 * 86400, "400 days"),
    ("cookie_status_refused", "1", "another value"),
    ("cookie_samesite", "None", "cookie_secure=True"),
    ("cookie_samesite", "lax", "cookie_samesite"),
    ("secret_key", "short", "at least 8"),
    ("session_idle", 0, "above 0"),
    ("timeout", -1.0, "above 0"),
    ("timeout", "soon", "timeout"),
    ("consent_mode", "always", "consent_mode"),
    ("defer", "later", "defer"),
    ("trusted_proxies", ["*"], "trusted_proxies"),
    ("trusted_proxies", ["nonsense"], "trusted_proxies"),
    ("trusted_hops", -1, "trusted_hops"),
    ("pageview_exclude", [1], "pageview_exclude"),
    ("ignore_bots", "perhaps", "ignore_bots"),
    ("pageview_exclude_patterns", ["("], "regular expression"),
    ("pageview_exclude_hosts", ["https://a.example"], "a host name"),
    ("pageview_exclude_when", "never", "a function of a request"),
    ("pageview_methods", [], "methods such as"),
    ("pageview_methods", ["get"], "methods such as"),
    ("pageview_statuses", [99], "200 to 599"),
    ("pageview_statuses", ["all"], "pageview_statuses"),
    ("pageview_content_types", ["text/html; charset=utf-8"], "no more"),
    ("enhanced_navigation", ["angular"], "enhanced_navigation"),
    ("sample_rate", 0.0, "above 0"),
    ("sample_rate", 1.5, "above 0"),
    ("bot_detector", "best", "'is-bot' or a function"),
    ("ai_training", "keep", "ai_training"),
    ("referrer_detail", "none", "referrer_detail"),
    ("page_path", "raw", "page_path"),
]


@pytest.mark.parametrize(("option", "value", "said"), WRONG)
def test_a_wrong_value_is_refused_by_name(option, value, said):
    with pytest.raises(ConfigurationError, match=said) as refused:
        Settings.from_mapping({option: value})

    assert refused.value.option == option
    assert option in str(refused.value)


@pytest.mark.parametrize(
    ("given", "near"),
    [
        ("cookie_nam", "cookie_name"),
        ("anonymise_ip", "anonymize_ip"),
        ("exclude", "pageview_exclude"),
        ("secretkey", "secret_key"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_known_one(given, near):
    with pytest.raises(ConfigurationError, match=f"{given!r}.*{near!r}"):
        Settings.from_mapping({given: 1})


def test_a_secret_key_is_never_shown():
    settings = Settings(secret_key="something secret", cookie_name="id")

    assert repr(settings) == "Settings(cookie_name='id')"
    with pytest.raises(ConfigurationError) as refused:
        Settings.from_mapping({"secret_key": ["hush"]})
    assert "hush" not in str(refused.value)
    with pytest.raises(ConfigurationError) as refused:
        Settings.from_mapping({"secret_key": 0.25})
    assert "0.25" not in str(refused.value)


def test_keys_may_be_one_or_many():
    assert Settings(secret_key="a" * 8).secret_keys == ("a" * 8,)
    assert Settings(secret_key=("a" * 8, "b" * 8)).secret_keys == ("a" * 8, "b" * 8)
    assert Settings().secret_keys == ()


def test_lists_and_numbers_of_old_configurations_are_understood():
    settings = Settings.from_mapping(
        {"pageview_exclude": ["admin/"], "cookie_status_accepted": 5}
    )

    assert settings.pageview_exclude == ("admin/",)
    assert settings.cookie_status_accepted == "5"


def test_the_environment_gives_every_kind_of_option():
    settings = Settings.from_env(
        {
            "SERVER_TRACKING_SECRET_KEY": "one of two keys,second of two keys",
            "SERVER_TRACKING_COOKIE_MAX_AGE": "86400",
            "SERVER_TRACKING_TIMEOUT": "2.5",
            "SERVER_TRACKING_COOKIE_SECURE": "yes",
            "SERVER_TRACKING_ANONYMIZE_IP": "true",
            "SERVER_TRACKING_IGNORE_BOTS": "off",
            "SERVER_TRACKING_PAGEVIEW_EXCLUDE": "admin/, /internal",
            "SERVER_TRACKING_DEFER": "none",
            "SERVER_TRACKING_CONSENT_MODE": "opt-in",
            "SERVER_TRACKING_SYSTEMS": "not ours",
            "PATH": "/bin",
        }
    )

    assert settings == Settings(
        secret_key=("one of two keys", "second of two keys"),
        cookie_max_age=86400,
        timeout=2.5,
        cookie_secure=True,
        ignore_bots=False,
        pageview_exclude=("admin/", "/internal"),
        defer=None,
        consent_mode="opt-in",
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [("COOKIE_MAX_AGE", "many"), ("IGNORE_BOTS", "maybe"), ("CONSENT_MODE", "x")],
)
def test_a_wrong_variable_is_refused_by_name(name, text):
    with pytest.raises(ConfigurationError) as refused:
        Settings.from_env({f"{ENVIRONMENT_PREFIX}{name}": text})

    assert refused.value.option == name.lower()


def test_an_unknown_variable_is_refused():
    with pytest.raises(ConfigurationError, match="cookie_name"):
        Settings.from_env({"SERVER_TRACKING_COOKIENAME": "x"})


def test_every_option_can_be_given_as_its_default():
    for field in msgspec.structs.fields(Settings):
        assert Settings.from_mapping({field.name: field.default}) == Settings()
