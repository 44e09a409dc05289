"""Which user agents are no people's browsers.

A browser names the engine or the device it is made of; what does not is a robot.
What does is a robot all the same if it says so, or names a robot that is known.
Rules on other headers are left out: reverse proxies rewrite what they look at.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from typing import Literal

from server_tracking.errors import ConfigurationError

__all__ = ["BotDetector", "detector_from", "is_bot"]

BotDetector = Literal["built-in", "is-bot"] | Callable[[str], bool]
"""The rules of this module, the list of the package is-bot, or a function."""

_LONGEST = 512  # the longest of 33 000 real ones has 374 characters


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# What a browser is made of, or made for: one of these is in all but a few.
_ENGINES = _words("""
    applewebkit dalvik/ gecko hbbtv iemobile khtml maui midp msie netfront nintendo obigo
    operamini playstation polaris presto roku smart-tv smarttv symbian trident ucbrowser
    up.browser
""")
# Those few, by their beginning.
_OTHERS = (
    *_words("""
    amigavoyager/ blackberry dillo/ elinks/ ibrowse/ icab lg- lynx/ mot- netsurf/ nokia
    opera/ samsung- sonyericsson ucweb w3m/
    """),
    "elinks (",
    "links (",
    "nook browser",
)
# Old browsers that say "compatible;", as most robots do.
_COMPATIBLE = _words("""
    abrowse avantgo dillo elaine ibrowse icab konqueror msie netfront netpositive netsurf
    omniweb opera palmos polaris trident webpositive
""")
# What gives a robot away that names an engine, in lower case. One that names none needs
# no entry, so most libraries and many well-known robots are missing here.
_TOKENS = (
    # What robots call themselves, and the address where they explain themselves.
    *_words("""
    archiv bot checker crawl extractor favicon feed fetch grabber harvest http: https:
    indexer inspect monitor prerender preview scrape scrapy screenshot sitemap slurp sniff
    spider spyder synthetic uptime validator
    """),
    # Browsers without a person, and libraries that pose as one.
    *_words("""
    casperjs cypress/ headless htmlunit java/1 jsdom libcurl lighthouse mechanize okhttp
    phantomjs playwright puppeteer python selenium splash webdriver webkit2png zombie.js
    """),
    # Search and advertising.
    *_words("""
    adbeat admantx adwords daumoa duplexweb google- googleother jeeves mediapartners
    proximic qwantify scope3 teoma yahoo! yandexdirect
    """),
    "google favicon",
    "google keyword",
    "google page speed",
    "google web preview",
    # Language models and their agents.
    *_words("""
    anthropic chatgpt claude- claude/ cohere- deepseek- devin/ img2dataset manus- manus/
    mistralai- nova-act novaact oai- openai perplexity
    """),
    # Previews of links.
    *_words("facebookexternal iframely meta-external outbrain skypeuri transcoder"),
    # Monitoring, marketing, security.
    *_words("""
    acunetix appinsights applicationinsights builtwith burp catchpoint censys cloudflare
    dareboost datadog dejaclick detectify dmbrowser gomez gtmetrix ips-agent linktiger
    marketgoo mj12 netcraft netnewswire neustar newrelic nikto nuclei onetrust pagespeed
    pingdom ptst/ qualys rigor ruxit semrush site24x7 siteimprove speedcurve sqlmap
    statuscake wappalyzer webpagetest windows-rss xovi
    """),
    # No browser writes these, those who look for holes do.
    *_words("${ <! <? <s ../"),
)
# What holds a token and is none: a phone, a box for the television, an add-on of old
# Internet Explorers that names its home page.
_INNOCENT = ("cubot", "google-tv", "http://bsalsa.com", "http://www.bsalsa.com")


def detector_from(given: BotDetector) -> Callable[[str | None], bool]:
    """Make the test for robots that *given* names.

    What is not built in sees at most 512 characters of a user agent, each once as
    long as it is among the 4096 last ones; none at all is a robot's. Raises
    `ConfigurationError`.
    """
    if given == "built-in":
        return is_bot
    judge = lru_cache(maxsize=4096)(_judge_from(given))

    def detects(user_agent: str | None) -> bool:
        return not user_agent or bool(judge(user_agent[:_LONGEST]))

    return detects


def _judge_from(given: object) -> Callable[[str], bool]:
    if given == "is-bot":
        try:
            listed: Callable[[str], bool] = import_module("is_bot").Bots().is_bot
        except ModuleNotFoundError:
            raise ConfigurationError(
                "Option 'bot_detector': 'is-bot' was given, and that package is "
                'missing; pip install "server-tracking[bots]" brings it.',
                option="bot_detector",
            ) from None
        # Its patterns know robots by name; a library that names no browser is ours.
        return lambda text: _is_bot(text) or listed(text)
    if callable(given):
        return given
    raise ConfigurationError(
        f"Option 'bot_detector': {given!r:.80} was given; accepted is 'built-in', "
        "'is-bot' or a function of a user agent.",
        option="bot_detector",
    )


def is_bot(user_agent: str | None) -> bool:
    """Tell whether *user_agent* is a robot's; so is none at all.

    Only the first 512 characters count.
    """
    return not user_agent or _is_bot(user_agent[:_LONGEST])


# Looking a known one up costs 0.1 µs, judging it 10; a few thousand make up nearly
# all visits.
@lru_cache(maxsize=4096)
def _is_bot(user_agent: str) -> bool:
    text = user_agent.lower().strip()
    if not _any(_ENGINES, text) and not text.startswith(_OTHERS):
        # Netscape named no engine yet.
        if not text.startswith(("mozilla/2", "mozilla/3", "mozilla/4")):
            return True
        if "(" not in text:
            return True
    if "compatible;" in text and not _any(_COMPATIBLE, text):
        return True
    for innocent in _INNOCENT:
        text = text.replace(innocent, "")
    return _any(_TOKENS, text)


def _any(words: tuple[str, ...], text: str) -> bool:
    # `any()` with a generator costs twice as much.
    for word in words:  # noqa: SIM110
        if word in text:
            return True
    return False
