"""Inspector and example shop in a real Chromium, as their users see them."""

import json
import os
import shutil
import time

import pytest
import requests

from server_tracking.demo.stage import stage
from server_tracking.demo.systems import demo_systems
from server_tracking.demo.visit import EXPECTED, visit
from server_tracking.inspector.server import (
    listening_socket,
    serving_inspector,
    url_of,
)
from server_tracking.inspector.store import HitStore
from server_tracking.systems import Plausible

# A headless Chromium says so in its user agent, and is then taken for the bot it is.
PERSON = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/141.0.0.0 Safari/537.36"
)
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=1400,900",
    f"--user-agent={PERSON}",
]
DAY = 24 * 3600
ROWS = "#hits tr"


def not_here(what):
    """Skip; but where all is meant to be installed, fail."""
    message = f"{what} is not on this machine: apt install chromium chromium-driver"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    try:
        from selenium import webdriver
    except ModuleNotFoundError:
        not_here("selenium")
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not (browser and driver):
        not_here("Chromium")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability(
        "goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"}
    )
    chrome = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield chrome
    chrome.quit()


class Tab:
    """The browser, with what these tests ask of it."""

    def __init__(self, driver):
        self.driver = driver
        self.open = driver.get
        self.run = driver.execute_script

    def find(self, css):
        return self.driver.find_element("css selector", css)

    def texts(self, css):
        # In one step: the page may redraw between two.
        script = (
            "return [...document.querySelectorAll(arguments[0])].map(e => e.innerText)"
        )
        return self.run(script, css)

    def wait(self, condition, seconds=10):
        from selenium.webdriver.support.wait import WebDriverWait

        return WebDriverWait(self.driver, seconds, 0.05).until(lambda _: condition())

    def press(self, key):
        from selenium.webdriver import ActionChains, Keys

        ActionChains(self.driver).send_keys(getattr(Keys, key, key)).perform()

    def choose(self, name, value):
        from selenium.webdriver.support.select import Select

        Select(self.find(f"[name={name}]")).select_by_value(value)

    def requested(self):
        """List the addresses that pages asked for since the last call."""
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                yield message["params"]["request"]["url"]


@pytest.fixture
def tab(chromium):
    """A browser without a past; what it asks for must stay on this machine."""
    first = chromium.current_window_handle
    chromium.get("about:blank")
    chromium.execute_cdp_cmd("Network.clearBrowserCookies", {})
    tab = Tab(chromium)
    list(tab.requested()), chromium.get_log("browser")
    yield tab
    asked = list(tab.requested())
    errors = [e for e in chromium.get_log("browser") if e["level"] == "SEVERE"]
    for handle in chromium.window_handles:
        chromium.switch_to.window(handle)
        if handle != first:
            chromium.close()
    chromium.switch_to.window(first)
    chromium.get("about:blank")
    assert asked
    assert [u for u in asked if not u.startswith(("http://127.0.0.1:", "data:"))] == []
    assert errors == []


def plausible_at(inspector):
    return [Plausible("fern-and-fig.example", url=inspector)]


@pytest.fixture
def shop_told_to():
    """Serve the demo, for systems that a function makes."""
    with listening_socket() as shop, listening_socket() as inspector:
        yield lambda systems: stage(systems, shop, inspector)


@pytest.fixture
def here(shop_told_to):
    """The demo with one system, so that each page view is one hit."""
    with shop_told_to(plausible_at) as here:
        yield here


@pytest.fixture
def report():
    """Report page views to an inspector, as its own system is told."""
    with requests.Session() as http:
        http.trust_env = False

        def send(inspector, *paths, name="pageview"):
            for path in paths:
                http.post(
                    f"{inspector}/api/event",
                    json={
                        "name": name,
                        "domain": "x.org",
                        "url": f"http://x.org{path}",
                    },
                    headers={"User-Agent": PERSON, "X-Forwarded-For": "203.0.113.7"},
                    timeout=10,
                ).raise_for_status()

        yield send


def test_hits_appear_in_the_open_inspector_while_the_shop_is_visited(shop_told_to, tab):
    with shop_told_to(demo_systems) as here:
        tab.open(here.inspector)
        tab.wait(lambda: tab.texts("#link") == ["live"])
        tab.run("window.opened = 'once'")
        inspector = tab.driver.current_window_handle
        tab.driver.switch_to.new_window("tab")
        tab.open(here.shop)
        tab.find("a[href='/plants/fern']").click()
        tab.find("main button").click()
        tab.wait(lambda: tab.driver.title.startswith("Your basket"))
        tab.driver.switch_to.window(inspector)

        systems = {system.name for system in here.tracker.systems}
        number = 4 * len(systems)  # three pages and an event
        assert len(here.arrived(number, 10)) == number
        tab.wait(lambda: len(tab.texts(ROWS)) == number)
        assert tab.run("return window.opened") == "once"
        assert set(tab.texts(f"{ROWS} .check")) == {"✓ valid"}
        assert len(set(tab.texts(f"{ROWS} .system"))) == len(systems)


def test_a_hit_opens_by_mouse_and_closes_by_escape(here, tab, report):
    report(here.inspector, "/plants/fern?utm_source=newsletter")
    tab.open(here.inspector)
    tab.wait(lambda: tab.texts(ROWS))

    tab.find(ROWS).click()

    [detail] = tab.texts("#detail")
    assert "http://x.org/plants/fern?utm_source=newsletter" in detail
    assert "Plausible" in detail
    assert "POST /api/event" in detail
    tab.press("ESCAPE")
    assert not tab.find("#detail").is_displayed()
    assert tab.run("return document.activeElement.tagName") == "TR"


def test_hits_open_by_keyboard_and_arrows_walk_through_them(here, tab, report):
    report(here.inspector, "/old", "/new")
    tab.open(here.inspector)
    tab.wait(lambda: len(tab.texts(ROWS)) == 2)
    tab.run("document.querySelector('#hits tr').focus()")

    tab.press("ENTER")
    assert "http://x.org/new" in tab.texts("#detail")[0]
    tab.press("ARROW_DOWN")
    assert "http://x.org/old" in tab.texts("#detail")[0]


def test_filters_leave_what_they_name(here, tab, report):
    report(here.inspector, "/fern", "/fig")
    report(here.inspector, "/basket", name="Basket: Add")
    tab.open(here.inspector)
    tab.wait(lambda: len(tab.texts(ROWS)) == 3)

    tab.press("/")
    tab.press("FERN")
    tab.wait(lambda: tab.texts(f"{ROWS} .path") == ["/fern"])
    assert tab.texts("#count") == ["1 of 3 hits"]
    report(here.inspector, "/fern/again", "/elsewhere")
    tab.wait(lambda: tab.texts(f"{ROWS} .path") == ["/fern/again", "/fern"])
    tab.choose("kind", "event")
    tab.wait(lambda: not tab.texts(ROWS))
    assert tab.find("#nothing").is_displayed()
    tab.find("#reset").click()
    tab.wait(lambda: len(tab.texts(ROWS)) == 5)
    tab.choose("state", "refused")
    tab.wait(lambda: not tab.texts(ROWS))


def test_the_path_and_problems_can_be_asked_for(here, tab, report):
    report(here.inspector, "/fern", "/fig", "/fern/2")
    requests.post(f"{here.inspector}/api/evnt", timeout=10).close()
    tab.open(here.inspector)
    tab.wait(lambda: len(tab.texts(ROWS)) == 4)

    tab.find("[name=path]").send_keys("FERN")
    tab.wait(lambda: tab.texts(f"{ROWS} .path") == ["/fern/2", "/fern"])
    tab.find("[name=path]").clear()
    tab.choose("state", "problems")
    tab.wait(lambda: tab.texts(f"{ROWS} .path") == ["/api/evnt"])


def test_the_same_hit_is_shown_as_each_system_understands_it(shop_told_to, tab):
    with shop_told_to(demo_systems) as here:
        visit(here.shop)
        here.arrived(len(EXPECTED) * len(here.tracker.systems), 10)
        tab.open(here.inspector)
        tab.wait(lambda: tab.texts(ROWS))
        tab.find("[name=path]").send_keys("/care")
        tab.wait(lambda: set(tab.texts(f"{ROWS} .path")) == {"/care"})

        tab.find(ROWS).click()
        tab.find("#detail .compare").click()

        tab.wait(lambda: tab.find("#comparison").is_displayed())
        heads = tab.texts("#comparison thead th")
        assert len(heads) == len(here.tracker.systems)
        assert {"Google Analytics 4", "Matomo", "Plausible"} < set(heads)
        assert set(tab.texts("#comparison tbody tr:first-child td")) == {"page view"}
        assert tab.texts("#comparison .differs") == []
        tab.press("ESCAPE")
        tab.wait(lambda: not tab.find("#comparison").is_displayed())
        assert tab.find("#detail").is_displayed()


def test_journeys_are_told_in_order(shop_told_to, tab):
    def one_system(inspector):
        return [s for s in demo_systems(inspector) if s.name == "matomo"]

    with shop_told_to(one_system) as here:
        visit(here.shop)
        here.arrived(len(EXPECTED), 10)
        tab.open(here.inspector)
        tab.wait(lambda: len(tab.texts(ROWS)) == len(EXPECTED))

        tab.press("2")

        assert len(tab.texts("#journeys details")) == 1
        steps = tab.texts("#journeys li")
        assert len(steps) == len(EXPECTED)
        assert "Plants for dark corners" in steps[0]
        assert "Boston fern" in steps[1]
        tab.find("#journeys li:nth-child(2) button").click()
        assert "/plants/fern" in tab.texts("#detail")[0]


def test_counts_are_those_of_what_the_filters_leave(here, tab, report):
    report(here.inspector, "/fern", "/fern", "/fig?utm_source=mail")
    report(here.inspector, "/basket", name="Basket: Add")
    tab.open(here.inspector)
    tab.wait(lambda: len(tab.texts(ROWS)) == 4)

    tab.press("3")

    cards = dict(card.split("\n", 1) for card in tab.texts("#counts .card"))
    assert cards["Top pages"].split() == ["/fern", "2", "/fig", "1"]
    assert cards["Events"].split("\t") == ["Basket: Add", "1"]
    assert "mail" in cards["Campaigns"]
    assert cards["Bots"].strip() == "None"
    label = tab.find(".chart").get_attribute("aria-label")
    assert label.startswith("Hits per minute in the last 30 minutes")
    tab.find("[name=path]").send_keys("fig")
    tab.wait(lambda: "/fern" not in tab.texts("#counts")[0])


def test_what_is_kept_stays_when_the_rest_is_cleared(here, tab, report):
    report(here.inspector, "/fern", "/fig")
    tab.open(here.inspector)
    tab.wait(lambda: len(tab.texts(ROWS)) == 2)
    tab.find(f"{ROWS}:last-child").click()

    tab.find("#detail .keep").click()
    tab.wait(lambda: tab.texts("#detail .keep") == ["★ Kept"])
    tab.find("#clear").click()

    tab.wait(lambda: tab.texts(f"{ROWS} .path") == ["/fern"])
    assert tab.texts(f"{ROWS} .check") == ["★ ✓ valid"]
    assert [stored.hit.path for stored in here.store.hits()] == ["/fern"]


def test_exports_and_the_raw_call_are_at_hand(here, tab, report):
    report(here.inspector, "/fern", "/fig")
    tab.open(here.inspector)
    tab.wait(lambda: len(tab.texts(ROWS)) == 2)
    tab.find("[name=path]").send_keys("fern")
    tab.wait(lambda: len(tab.texts(ROWS)) == 1)

    # Headless browsers save nothing: follow the link as it is made by the click.
    script = (
        "const link = document.querySelector('#export a');"
        "link.addEventListener('click', event => event.preventDefault());"
        "link.click(); return link.href"
    )
    exported = requests.get(tab.run(script), timeout=10).text.splitlines()
    assert [json.loads(line)["hit"]["path"] for line in exported] == ["/fern"]
    tab.find(ROWS).click()
    tab.find(".raw summary").click()
    tab.wait(lambda: "POST /api/event" in tab.texts(".raw pre")[0])
    assert '"url": "http://x.org/fern"' in tab.texts(".raw pre")[0]


def test_older_hits_than_the_list_shows_are_asked_for(here, tab, report):
    report(here.inspector, *(f"/{number}" for number in range(620)))
    tab.open(here.inspector)
    tab.wait(lambda: len(tab.texts(ROWS)) == 500)

    tab.find("#older").click()

    tab.wait(lambda: len(tab.texts(ROWS)) == 620)
    assert tab.texts(f"{ROWS}:last-child .path") == ["/0"]
    assert not tab.find("#older").is_displayed()


def test_clearing_empties_every_open_page(here, tab, report):
    report(here.inspector, "/fern")
    tab.open(here.inspector)
    first = tab.driver.current_window_handle
    tab.driver.switch_to.new_window("tab")
    tab.open(here.inspector)
    tab.wait(lambda: tab.texts(ROWS))

    tab.find("#clear").click()

    for handle in (tab.driver.current_window_handle, first):
        tab.driver.switch_to.window(handle)
        tab.wait(lambda: not tab.texts(ROWS))
        assert tab.find("#empty").is_displayed()


def test_what_visitors_send_never_becomes_markup(here, tab, report):
    report(here.inspector, "/x", name="<img src=x onerror='window.owned = 1'>")
    tab.open(here.inspector)
    tab.wait(lambda: tab.texts(ROWS))

    tab.find(ROWS).click()

    assert "<img src=x" in tab.texts("#detail")[0]
    assert tab.run("return document.images.length") == 0
    assert tab.run("return window.owned") is None


def test_a_page_outlives_its_inspector_and_shows_the_next(chromium, report):
    # Refused connections are console errors, so this test has a tab of its own.
    tab = Tab(chromium)
    with listening_socket() as listening:
        port, url = listening.getsockname()[1], url_of(listening)
        with serving_inspector(HitStore(), listening):
            report(url, "/first", "/second")
            tab.open(url)
            tab.wait(lambda: len(tab.texts(ROWS)) == 2)
    tab.wait(lambda: tab.texts("#link") != ["live"])
    assert len(tab.texts(ROWS)) == 2

    with listening_socket(port) as again, serving_inspector(HitStore(), again):
        report(url, "/third")
        tab.wait(lambda: tab.texts(f"{ROWS} .path") == ["/third"])
        assert tab.texts("#link") == ["live"]
        tab.open("about:blank")


def test_until_the_visitor_decides_there_is_one_session_cookie(here, tab):
    tab.open(here.shop)

    [cookie] = tab.driver.get_cookies()
    assert cookie["name"] == "vn"
    assert "expiry" not in cookie
    assert cookie["httpOnly"]
    assert tab.find("#consent").is_displayed()


def test_yes_makes_the_cookie_permanent(here, tab):
    tab.open(here.shop)
    before = tab.driver.get_cookie("vn")

    tab.find("[data-say=accept]").click()
    tab.wait(lambda: not tab.find("#consent").is_displayed())

    cookies = {cookie["name"]: cookie for cookie in tab.driver.get_cookies()}
    assert set(cookies) == {"vn", "cookie_status"}
    assert cookies["cookie_status"]["value"] == "1"
    days = (cookies["vn"]["expiry"] - time.time()) / DAY
    assert 394.9 < days < 395.1
    assert len(here.arrived(2, 10)) == 2
    assert before["value"] != cookies["vn"]["value"]


def test_no_removes_the_cookie_and_nothing_more_is_sent(here, tab):
    tab.open(here.shop)
    assert len(here.arrived(1, 10)) == 1

    tab.find("[data-say=refuse]").click()
    tab.wait(lambda: not tab.find("#consent").is_displayed())
    tab.open(f"{here.shop}/plants/fern")
    tab.find("main button").click()
    tab.wait(lambda: tab.driver.title.startswith("Your basket"))

    # Another visitor comes after: what was to be sent before them has been.
    visit(here.shop)
    assert len(here.arrived(1 + len(EXPECTED), 10)) == 1 + len(EXPECTED)
    [cookie] = tab.driver.get_cookies()
    assert (cookie["name"], cookie["value"]) == ("cookie_status", "0")


def test_a_choice_can_be_changed(here, tab):
    tab.open(here.shop)
    tab.find("[data-say=accept]").click()
    tab.wait(lambda: not tab.find("#consent").is_displayed())

    tab.find("#privacy").click()
    assert tab.find("#consent").is_displayed()
    tab.find("[data-say=refuse]").click()
    tab.wait(lambda: tab.texts("#choice") == ["You are not counted."])

    assert tab.driver.get_cookie("vn") is None


def test_a_yes_can_be_withdrawn(here, tab):
    tab.open(here.shop)
    assert not tab.find("#withdraw").is_displayed()
    tab.find("[data-say=accept]").click()
    tab.wait(lambda: tab.find("#withdraw").is_displayed())
    assert len(here.arrived(2, 10)) == 2

    tab.find("#withdraw").click()
    tab.wait(lambda: tab.texts("#choice") == ["You are not counted."])
    tab.open(f"{here.shop}/plants/fern")

    [cookie] = tab.driver.get_cookies()
    assert (cookie["name"], cookie["value"]) == ("cookie_status", "0")
    visit(here.shop)  # another visitor comes after
    assert len(here.arrived(2 + len(EXPECTED), 10)) == 2 + len(EXPECTED)


def test_a_basket_is_filled_and_bought(shop_told_to, tab):
    def two_systems(inspector):
        return [s for s in demo_systems(inspector) if s.name in ("matomo", "posthog")]

    with shop_told_to(two_systems) as here:
        tab.open(f"{here.shop}/search?q=fig")
        tab.find("main .card").click()
        tab.find("main button").click()
        tab.wait(lambda: tab.driver.title.startswith("Your basket"))
        tab.open(f"{here.shop}/plants/fern")
        tab.find("main button").click()
        tab.wait(lambda: "€ 53.50" in tab.texts("main")[0])
        tab.find("main button").click()
        tab.wait(lambda: tab.driver.title.startswith("Thank you"))
        tab.find("header a[href^='/basket']").click()
        tab.wait(lambda: "nothing in it" in tab.texts("main")[0])

        # Seven pages, two plants put in, a search that was timed, and the sale.
        hits = here.arrived(2 * 11, 10)
        sales = [one for one in hits if one.hit.kind == "purchase"]
        assert {one.hit.system for one in sales} == {"matomo", "posthog"}
        for one in sales:
            values = [parameter.value for parameter in one.hit.parameters]
            assert one.valid
            assert any(value in ("53.5", "53.50") for value in values)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_all_without_scrolling_sideways(here, tab, report, scheme):
    report(here.inspector, "/a/rather/long/path/that/goes/on/and/on?utm_source=here")
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    chosen = [{"name": "prefers-color-scheme", "value": scheme}]
    command = tab.driver.execute_cdp_cmd
    command("Emulation.setDeviceMetricsOverride", phone)
    command("Emulation.setEmulatedMedia", {"features": chosen})
    overflow = "return document.documentElement.scrollWidth - innerWidth"
    try:
        tab.open(here.inspector)
        tab.wait(lambda: tab.texts(ROWS))
        assert tab.run(overflow) <= 0
        tab.find(ROWS).click()
        assert tab.run(overflow) <= 0
        assert tab.find("#detail button").is_displayed()
        tab.open(here.shop)
        assert tab.run(overflow) <= 0
    finally:
        command("Emulation.clearDeviceMetricsOverride", {})
        command("Emulation.setEmulatedMedia", {"features": []})
