"""AI agents: what each comes for, and what becomes of it."""

import time

import pytest

from server_tracking import ConfigurationError, Reason, Tracker
from server_tracking.agents import AGENTS, agent_of
from server_tracking.bots import is_bot
from server_tracking.testing import RecordingSender
from server_tracking.wsgi import TrackingMiddleware

GPTBOT = "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)"
# As their makers publish them.
PUBLISHED = [
    (GPTBOT, "GPTBot", "OpenAI", "training"),
    (
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ClaudeBot/1.0; +claudebot@anthropic.com)",
        "ClaudeBot",
        "Anthropic",
        "training",
    ),
    ("CCBot/2.0 (https://commoncrawl.org/faq/)", "CCBot", "Common Crawl", "training"),
    (
        "meta-externalagent/1.1 (+https://developers.facebook.com/docs/sharing/webmasters/crawler)",
        "meta-externalagent",
        "Meta",
        "training",
    ),
    (
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; OAI-SearchBot/1.0; +https://openai.com/searchbot",
        "OAI-SearchBot",
        "OpenAI",
        "search",
    ),
    (
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; PerplexityBot/1.0; +https://perplexity.ai/perplexitybot)",
        "PerplexityBot",
        "Perplexity",
        "search",
    ),
    (
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; ChatGPT-User/1.0; +https://openai.com/bot",
        "ChatGPT-User",
        "OpenAI",
        "assistant",
    ),
    (
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Perplexity-User/1.0; +https://perplexity.ai/perplexity-user)",
        "Perplexity-User",
        "Perplexity",
        "assistant",
    ),
    (
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Claude-User/1.0; +Claude-User@anthropic.com)",
        "Claude-User",
        "Anthropic",
        "assistant",
    ),
    (
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; MistralAI-User/1.0; +https://docs.mistral.ai/robots)",
        "MistralAI-User",
        "Mistral AI",
        "assistant",
    ),
]


@pytest.mark.parametrize(("user_agent", "name", "company", "kind"), PUBLISHED)
def test_an_agent_is_known_by_its_published_user_agent(user_agent, name, company, kind):
    agent = agent_of(user_agent)

    assert (agent.name, agent.company, agent.kind) == (name, company, kind)


@pytest.mark.parametrize("token", sorted(AGENTS))
def test_every_agent_is_a_bot_by_the_built_in_rules(token):
    published = (
        f"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; {token}/1.0)"
    )

    assert is_bot(published)
    assert agent_of(published) == AGENTS[token]


def test_no_other_robot_and_no_browser_is_an_agent(browser):
    for user_agent in (browser["User-Agent"], "Googlebot/2.1", "curl/8.5", "", None):
        assert agent_of(user_agent) is None


def test_only_512_characters_count():
    assert agent_of(" " * 512 + "GPTBot") is None


def visit(tracker, browser, user_agent, events=0):
    def site(environ, start_response):
        for _ in range(events):
            tracker.event("Cart", "Add", params={"size": "L"})
        start_response("200 OK", [("Content-Type", "text/html")])
        return [b"<title>Shop</title>"]

    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/shop",
        "QUERY_STRING": "",
        "REMOTE_ADDR": "203.0.113.7",
        "HTTP_HOST": "example.com",
        "wsgi.url_scheme": "https",
    }
    for name, value in {**browser, "User-Agent": user_agent}.items():
        environ["HTTP_" + name.upper().replace("-", "_")] = value
    heads = []
    body = TrackingMiddleware(site, tracker)(
        environ, lambda status, headers: heads.append(dict(headers))
    )
    b"".join(body)
    if hasattr(body, "close"):
        body.close()
    return heads[0]


@pytest.mark.parametrize("kind", ["training", "search", "assistant"])
def test_each_class_is_dropped_unless_settings_say_otherwise(
    kind, make_tracker, sender, browser
):
    user_agent = next(row[0] for row in PUBLISHED if row[3] == kind)
    others = [row[0] for row in PUBLISHED if row[3] != kind]
    tracker = make_tracker(**{f"ai_{kind}": "mark"})
    for other in others:
        visit(tracker, browser, other)
    assert sender.hits == []
    assert tracker.stats().not_tracked == {Reason.AGENT: len(others)}

    visit(tracker, browser, user_agent)
    assert [hit.params["ai_agent_kind"] for hit in sender.hits] == [kind]


def test_a_marked_agent_is_named_in_every_hit_and_gets_no_cookie(
    make_tracker, sender, browser
):
    tracker = make_tracker(ai_training="mark")
    head = visit(tracker, browser, GPTBOT, events=1)

    assert "Set-Cookie" not in head
    page, event = sender.hits
    marks = {"ai_agent": "GPTBot", "ai_agent_kind": "training"}
    assert page.params == marks
    assert event.params == {"size": "L", **marks}


def test_an_agent_is_one_visitor_for_a_day(make_tracker, sender, browser):
    tracker = make_tracker(ai_training="mark")
    visit(tracker, browser, GPTBOT)
    visit(tracker, browser, GPTBOT)

    assert len({hit.context.visitor.client_id for hit in sender.hits}) == 1
    assert {hit.context.session.id for hit in sender.hits} == {
        int(time.time()) // 86400 * 86400
    }


def test_a_routed_agent_is_told_to_its_own_tracker_alone(make_tracker, sender, browser):
    apart = RecordingSender()
    agents = Tracker(sender=apart, secret_key="a secret key for tests", strict=True)
    tracker = make_tracker(ai_assistant="route", agents=agents)
    visit(tracker, browser, "ChatGPT-User/1.0", events=1)
    visit(tracker, browser, GPTBOT)
    visit(tracker, browser, browser["User-Agent"])

    assert len(sender.hits) == 1
    assert [hit.params["ai_agent"] for hit in apart.hits] == ["ChatGPT-User"] * 2


def test_a_route_without_a_tracker_is_refused(make_tracker):
    with pytest.raises(ConfigurationError, match=r"'ai_search': 'route'.*agents="):
        make_tracker(ai_search="route")


def test_agents_takes_a_tracker_alone(make_tracker):
    with pytest.raises(ConfigurationError, match=r"agents=Tracker"):
        make_tracker(ai_search="route", agents="matomo")


def test_a_mapping_may_name_the_tracker_of_agents():
    agents = Tracker(sender=RecordingSender(), secret_key="a secret key for tests")
    options = {"ai_search": "route", "agents": agents, "sender": RecordingSender()}

    assert Tracker.from_mapping(options).agents is agents
