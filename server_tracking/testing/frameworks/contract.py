"""FrameworkContract: all behaviours of a tracked site, and the matrix of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ClassVar
from unittest import SkipTest

from server_tracking.errors import ConfigurationError
from server_tracking.testing.frameworks.events import EventBehaviours
from server_tracking.testing.frameworks.failures import FailureBehaviours
from server_tracking.testing.frameworks.pages import PageBehaviours
from server_tracking.testing.frameworks.visitors import VisitorBehaviours

__all__ = ["FrameworkContract", "support_matrix"]


class FrameworkContract(
    PageBehaviours, VisitorBehaviours, EventBehaviours, FailureBehaviours
):
    """The behaviours of a tracked site; each method ``test_...`` is one.

        class TestMine(FrameworkContract):
            kind = "wsgi"

            def make_app(self, tracker):
                ...
                return TrackingMiddleware(app, tracker)

    *make_app* makes a site with these routes, in the ways of the framework. What
    they answer lies ready on the contract.

    | route                | answer                                                |
    |----------------------|-------------------------------------------------------|
    | ``/``                | the HTML `page`                                       |
    | ``/template``        | `template`, rendered with ``title=self.template_title`` |
    | ``/by-hand``         | the same; the handler sets ``current().title = "By hand"`` |
    | ``/plants/<name>``   | ``self.named(name)``; `route` is its pattern          |
    | ``/streamed/<name>`` | streams ``self.pieces(name)`` (`async_pieces`) as HTML |
    | ``/file``            | the file named `file`, sent as files are              |
    | ``/gzip``            | `zipped`, with ``Content-Encoding: gzip``             |
    | ``/empty``           | status 204                                            |
    | ``/unchanged``       | status 304                                            |
    | ``/redirect``        | a redirect to ``/``                                   |
    | ``/data``            | any JSON                                              |
    | ``/cached``          | `page`, with ``Cache-Control: public, max-age=600``   |
    | ``/cookie``          | `page`, with a cookie ``theirs=1``                    |
    | POST ``/echo``       | the body of the request, as ``text/plain``            |
    | ``/error``           | raises `SiteError`; the framework may answer 500      |
    | ``/handled``         | raises `HandledError`, which a handler of the site    |
    |                      | answers with `sorry` and status 500                   |
    | ``/part/page``       | `page`, from an application mounted at ``/part``      |
    | ``/events/<kind>``   | `page`; GET and POST; the handler carries             |
    |                      | ``@track_event("Basket", kind)``                      |

    The kinds are ``function``, ``coroutine``, ``method`` (of any object), ``class``
    (of a class-based view), ``generator`` (what makes the page in pieces carries the
    decorator), ``background`` (a function that runs when the answer is out).

    What a framework cannot have it names in *unsupported*, with the reason; the
    test is skipped and `support_matrix` shows it.
    """

    adapters_only: ClassVar[tuple[str, ...]] = (
        "test_the_title_of_the_template_wins_over_the_html",
        "test_the_route_is_its_pattern",
    )
    """What the plain middlewares cannot know: it takes an adapter."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Skip what the class cannot have; raises if there is no such behaviour."""
        super().__init_subclass__(**kwargs)
        for name, reason in cls.unsupported.items():
            behaviour = getattr(cls, name, None)
            if behaviour is None:
                raise ConfigurationError(
                    f"{cls.__name__}.unsupported names {name!r}, which is no behaviour.",
                    option="unsupported",
                )
            setattr(cls, name, _skipped(behaviour, reason))

    @classmethod
    def behaviours(cls) -> dict[str, str | None]:
        """List all behaviours in order, each with the reason for which it lacks."""
        return {
            name: cls.unsupported.get(name)
            for part in (*FrameworkContract.__bases__, *_own_parts(cls))
            for name in vars(part)
            if name.startswith("test_")
        }


def support_matrix(contracts: Mapping[str, type[FrameworkContract]]) -> str:
    """Write a Markdown table of what *contracts* support, each below its heading."""
    rows = [contract.behaviours() for contract in contracts.values()]
    names = list(dict.fromkeys(name for row in rows for name in row))
    reasons: list[str] = []
    lines = [
        f"| | {' | '.join(contracts)} |",
        f"|---|{'|'.join([':-:'] * len(contracts))}|",
    ]
    for name in names:
        cells = [_cell(row, name, reasons) for row in rows]
        lines.append(f"| {_sentence(name)} | {' | '.join(cells)} |")
    notes = [f"{number}. {reason}" for number, reason in enumerate(reasons, start=1)]
    return "\n".join([*lines, "", *notes]).rstrip() + "\n"


def _skipped(behaviour: Callable[..., object], reason: str) -> Callable[..., None]:
    @wraps(behaviour)
    def skipped(_self: FrameworkContract) -> None:
        raise SkipTest(reason)

    return skipped


def _own_parts(cls: type) -> list[type]:
    """List the classes of a contract's author, the most general first."""
    mro = cls.__mro__
    return list(reversed(mro[: mro.index(FrameworkContract)]))


def _cell(row: dict[str, str | None], name: str, reasons: list[str]) -> str:
    if name not in row:
        return ""
    reason = row[name]
    if reason is None:
        return "yes"
    if reason not in reasons:
        reasons.append(reason)
    return f"no [{reasons.index(reason) + 1}]"


def _sentence(name: str) -> str:
    words = name.removeprefix("test_").replace("_", " ").replace("html", "HTML")
    return words[0].upper() + words[1:].replace("ascii", "ASCII").replace(
        "https", "HTTPS"
    )
