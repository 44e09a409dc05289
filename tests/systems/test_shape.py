"""Seven systems, one shape: the same modules, headings, complaints and reticence."""

import importlib
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import server_tracking.systems
from server_tracking.errors import ConfigurationError
from server_tracking.systems import discovered_systems, system_from_url

PACKAGE = Path(server_tracking.systems.__file__).parent
DOCS = Path(__file__).parents[2] / "docs" / "systems"
SYSTEMS = discovered_systems()
HEADINGS = [
    "Set up",
    "What it hears",
    "Options",
    "Limits",
    "What its answers mean",
    "Honest notes",
]
URLS = {
    "ga4": "ga4://s3cret@G-ABC123?",
    "goatcounter": "goatcounter+https://s3cret@a.example?",
    "matomo": "matomo+https://s3cret@a.example?site_id=1&",
    "plausible": "plausible+https://a.example?domain=a.example&",
    "posthog": "posthog+https://s3cret@a.example?",
    "ua": "ua+https://UA-1-1@a.example?",
    "umami": "umami+https://a.example?website_id=01234567-89ab-4cde-8f01-23456789abcd&",
}
SECRETS = ("made-up-", "0123456789abc")


@pytest.fixture(params=sorted(SYSTEMS))
def scheme(request):
    return request.param


@pytest.mark.parametrize(
    ("module", "function"),
    [
        ("saying", r"say"),
        ("checking", r"check(_\w+)?"),
        ("fitting", r"fit(_\w+)?"),
        ("answers", r"outcome_of"),
    ],
)
def test_a_step_stands_in_the_module_of_its_name(scheme, module, function):
    name = f"server_tracking.systems.{SYSTEMS[scheme].name}.{module}"
    public = importlib.import_module(name).__all__

    assert any(re.fullmatch(function, name) for name in public)


def test_the_class_stands_in_the_module_system(scheme):
    system = SYSTEMS[scheme]

    assert system.__module__ == f"server_tracking.systems.{system.name}.system"
    assert getattr(server_tracking.systems, system.__name__) is system


def test_every_module_says_what_it_offers(scheme):
    for path in (PACKAGE / SYSTEMS[scheme].name).glob("*.py"):
        assert "\n__all__ = [" in path.read_text("utf-8"), path.name


def test_every_system_has_a_page_with_the_same_headings(scheme):
    page = (DOCS / f"{SYSTEMS[scheme].name.replace('_', '-')}.md").read_text("utf-8")

    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == HEADINGS
    assert "system_from_url(" in page


def test_the_url_of_a_system_makes_it(scheme):
    assert isinstance(system_from_url(URLS[scheme]), SYSTEMS[scheme])


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("unknown=1", "Option 'unknown' of a URL is not known; accepted are "),
        ("x#y", "accepted is one with %23 in its place"),
    ],
)
def test_a_wrong_url_names_the_system_and_what_is_accepted(scheme, query, words):
    with pytest.raises(ConfigurationError) as caught:
        system_from_url(URLS[scheme] + query)

    assert str(caught.value).startswith(f"{SYSTEMS[scheme].__name__}: ")
    assert words in str(caught.value)
    assert caught.value.option == "systems"
    assert "s3cret" not in str(caught.value)


def test_an_address_that_cannot_be_read_is_refused_without_repeating_it(scheme):
    url = f"{scheme}+https://s3cret@[a.example"
    with pytest.raises(ConfigurationError, match="cannot be read") as caught:
        system_from_url(url)

    assert "s3cret" not in str(caught.value)


def test_credentials_of_two_parts_are_refused(scheme):
    parts = urlsplit(URLS[scheme])
    url = parts._replace(netloc=f"me:s3cret@{parts.netloc.rpartition('@')[2]}").geturl()
    with pytest.raises(ConfigurationError) as caught:
        system_from_url(url)

    assert "s3cret" not in str(caught.value)


def test_nothing_that_shows_a_system_prettily_shows_its_secret(scheme):
    system = SYSTEMS[scheme].example()

    shown = str(list(system.__rich_repr__()))

    assert not any(secret in shown for secret in SECRETS)
