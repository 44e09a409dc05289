"""Which AI agent a robot is, and what it comes for.

The names are those that their makers publish. Agents that drive a common browser,
and do not name themselves, cannot be told from people.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

import msgspec

from server_tracking.errors import ConfigurationError

__all__ = ["AGENTS", "Agent", "AgentKind", "agent_of", "check_routes"]

AgentKind = Literal["training", "search", "assistant"]

_LONGEST = 512


class Agent(msgspec.Struct, frozen=True):
    """An AI agent: its *name*, who runs it, and what it comes for.

    *kind* is ``training`` (its maker's models learn from the page), ``search`` (the
    page goes into an index that answers refer to) or ``assistant`` (somebody has
    just asked for it).
    """

    name: str
    company: str
    kind: AgentKind


_TABLE: dict[AgentKind, str] = {
    "training": """
        GPTBot=OpenAI ClaudeBot=Anthropic anthropic-ai=Anthropic CCBot=Common_Crawl
        Google-CloudVertexBot=Google Bytespider=ByteDance TikTokSpider=ByteDance
        meta-externalagent=Meta FacebookBot=Meta Amazonbot=Amazon
        cohere-training-data-crawler=Cohere cohere-ai=Cohere AI2Bot=Allen_Institute
        Diffbot=Diffbot omgili=Webz.io Webzio-Extended=Webz.io ImagesiftBot=Hive
        img2dataset=img2dataset PanguBot=Huawei Timpibot=Timpi ICC-Crawler=NICT
        DeepSeekBot=DeepSeek
    """,
    "search": """
        OAI-SearchBot=OpenAI Claude-SearchBot=Anthropic PerplexityBot=Perplexity
        Amzn-SearchBot=Amazon meta-webindexer=Meta YouBot=You.com
        MistralAI-Index=Mistral_AI TavilyBot=Tavily LinkupBot=Linkup
        Applebot=Apple
    """,
    "assistant": """
        ChatGPT-User=OpenAI Claude-User=Anthropic Claude-Web=Anthropic
        Perplexity-User=Perplexity MistralAI-User=Mistral_AI Amzn-User=Amazon
        meta-externalfetcher=Meta DuckAssistBot=DuckDuckGo
        Gemini-Deep-Research=Google Google-NotebookLM=Google
        GoogleAgent-Mariner=Google NovaAct=Amazon Manus-User=Manus
        Devin/=Cognition
    """,
}


def _table() -> dict[str, Agent]:
    found = {}
    for kind, rows in _TABLE.items():
        for row in rows.split():
            name, _, company = row.partition("=")
            agent = Agent(name.rstrip("/"), company.replace("_", " "), kind)
            found[name.lower()] = agent
    return found


AGENTS = _table()
"""Each agent by what its user agent holds, in lower case."""


@lru_cache(maxsize=1024)
def _agent_of(user_agent: str) -> Agent | None:
    text = user_agent.lower()
    for token, agent in AGENTS.items():
        if token in text:
            return agent
    return None


def agent_of(user_agent: str | None) -> Agent | None:
    """Name the AI agent that *user_agent* says it is, or return None.

    Only the first 512 characters count.
    """
    return _agent_of(user_agent[:_LONGEST]) if user_agent else None


def check_routes(policies: Mapping[str, str], has_tracker: bool) -> None:
    """Refuse to route a class of agents where no tracker of theirs is given."""
    for kind, policy in policies.items():
        if policy == "route" and not has_tracker:
            raise ConfigurationError(
                f"Option 'ai_{kind}': 'route' was given; accepted is that only with "
                "agents=Tracker(...), else 'drop' or 'mark'.",
                option=f"ai_{kind}",
            )
