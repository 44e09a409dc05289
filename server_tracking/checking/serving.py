"""Read what uWSGI was told, as far as it decides whether hits get sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from server_tracking.checking.findings import Fact

__all__ = ["facts_of_uwsgi", "uwsgi_options_from"]

_OFF = frozenset({"false", "0", "no", "off"})


def uwsgi_options_from(path: Path) -> dict[str, list[str]]:
    """Read the options of the section ``[uwsgi]`` of an INI file, by name.

    Names may come several times. What other files say that it includes is not read.
    Raises `OSError` or `ValueError`.
    """
    options: dict[str, list[str]] = {}
    inside = False
    for line in path.read_text("utf-8").splitlines():
        text = line.strip()
        if text.startswith("["):
            inside = text == "[uwsgi]"
        elif inside and text and not text.startswith((";", "#")):
            name, _, value = text.partition("=")
            # uWSGI takes both forms (its options, "Underscores").
            key = name.strip().replace("_", "-")
            options.setdefault(key, []).append(value.strip())
    if not options:
        raise ValueError("it has no section [uwsgi] with options")
    return options


def facts_of_uwsgi(options: Mapping[str, list[str]]) -> Iterator[Fact]:
    """Say what *options* mean for hits; a warning is where some may be lost."""
    if _is_on(options, "enable-threads") or _has_number(options, "threads"):
        yield Fact("enable-threads", "on: hits are sent at any time")
    else:
        yield Fact(
            "enable-threads",
            "off: before uWSGI 2.0.27 hits are sent during requests only; set\n"
            "enable-threads = true",
            warning=True,
        )
    if _is_on(options, "skip-atexit"):
        yield _lossy("skip-atexit", "a worker that ends does not send what it holds")
    if _is_on(options, "die-on-term"):
        yield _lossy(
            "die-on-term",
            "a worker that serves a request at SIGTERM does not send what it holds",
        )
    if "harakiri" in options:
        yield _lossy("harakiri", "a worker that is killed loses what it holds")
    if len(options.get("mount", ())) > 1 and not _is_on(options, "single-interpreter"):
        yield Fact(
            "single-interpreter",
            "off, with several mounts: each has an interpreter of its own, which the\n"
            "library is not tested with; set single-interpreter = true",
            warning=True,
        )
    first = "each worker loads" if _is_on(options, "lazy-apps") else "the master loads"
    yield Fact("lazy-apps", f"{first} the application; either is fine")


def _lossy(option: str, why: str) -> Fact:
    return Fact(option, f"{why};\na spool keeps it (docs/spool.md)", warning=True)


def _is_on(options: Mapping[str, list[str]], name: str) -> bool:
    return name in options and options[name][-1].lower() not in _OFF


def _has_number(options: Mapping[str, list[str]], name: str) -> bool:
    return name in options and options[name][-1] not in ("", "0")
