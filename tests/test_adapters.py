"""Adapters stay thin: what they import, how long they are, what they never do."""

import ast
import importlib.util
from pathlib import Path

import pytest

# Views, checks and commands are Django's own ways in.
LONGER = {"server_tracking_django"}
FRAMEWORKS = {
    "server_tracking_django": {"django", "asgiref"},
    "server_tracking_flask": {"flask", "click"},
    "server_tracking_starlette": {"starlette"},
}
# What the core does, and an adapter hands on.
NOT_THEIR_BUSINESS = {
    "email",
    "hashlib",
    "hmac",
    "html",
    "http",
    "itsdangerous",
    "json",
    "re",
    "requests",
    "urllib",
}
DECIDING = {
    "addresses",
    "bots",
    "campaigns",
    "consent",
    "cookies",
    "extractor",
    "filters",
    "platforms",
    "scrubbing",
    "titles",
    "visitors",
}
FORMATTING_AND_SENDING = {"calls", "senders", "systems", "wire"}
HEADERS = {
    "accept",
    "accept-language",
    "cache-control",
    "content-encoding",
    "content-type",
    "cookie",
    "dnt",
    "origin",
    "purpose",
    "referer",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-gpc",
    "sec-purpose",
    "set-cookie",
    "user-agent",
    "x-forwarded-for",
    "x-requested-with",
}


def modules():
    return [
        pytest.param(path, id=f"{adapter}/{path.relative_to(package(adapter))}")
        for adapter in FRAMEWORKS
        for path in sorted(package(adapter).rglob("*.py"))
    ]


def package(adapter):
    """Find the folder of *adapter*, in the sources or installed; nothing is imported."""
    return Path(importlib.util.find_spec(adapter).origin).parent


def imported(path):
    """Yield each module that is imported, with the names taken from it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, []) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module, [alias.name for alias in node.names]


@pytest.mark.parametrize("path", modules())
def test_an_adapter_takes_public_names_of_the_core_only(path):
    for module, names in imported(path):
        if module.partition(".")[0] == "server_tracking":
            core = importlib.import_module(module)
            inside = {name for name in names if not hasattr(core, "__path__")}
            assert inside <= set(getattr(core, "__all__", inside)), module
            assert not any(name.startswith("_") for name in names), module


@pytest.mark.parametrize("path", modules())
def test_an_adapter_knows_its_framework_and_no_other_adapter(path):
    [own] = FRAMEWORKS.keys() & set(path.parts)
    for module, _ in imported(path):
        top = module.partition(".")[0]
        assert top not in FRAMEWORKS or top == own, module
        for adapter, frameworks in FRAMEWORKS.items():
            assert top not in frameworks or adapter == own, module


@pytest.mark.parametrize("path", modules())
def test_an_adapter_swallows_no_error(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "BaseException"
            raises = isinstance(node.body[-1], ast.Raise)
            assert raises or caught not in ("Exception", "BaseException"), node.lineno


@pytest.mark.parametrize("path", modules())
def test_an_adapter_leaves_decisions_formats_and_sending_to_the_core(path):
    for module, _ in imported(path):
        package, _, part = module.partition(".")
        assert package not in NOT_THEIR_BUSINESS, module
        inner = part.partition(".")[0] if package == "server_tracking" else ""
        assert inner not in DECIDING | FORMATTING_AND_SENDING, module


@pytest.mark.parametrize("path", modules())
def test_an_adapter_names_no_header(path):
    if "command" in path.stem or path.parent.stem == "commands":
        return  # they make a request up, to explain what becomes of it
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            name = node.value.lower().replace("_", "-").removeprefix("http-")
            assert name not in HEADERS, node.lineno


@pytest.mark.parametrize("path", modules())
def test_an_adapter_keeps_no_request_on_itself(path):
    # State on a middleware mixes requests that run at once: peers.md, row 28.
    for found in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(found, ast.ClassDef) and "__call__" in {
            method.name for method in found.body if hasattr(method, "name")
        }:
            assert kept_on_self(found) <= {"__init__"}


def kept_on_self(found):
    """Return the methods of a class that set an attribute of `self`."""
    return {
        method.name
        for method in found.body
        if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(method)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and ast.unparse(node.value) == "self"
    }


def lines_of_code(path):
    """Count the lines that do something: no import, docstring, comment, blank."""
    tree = ast.parse(path.read_text("utf-8"))
    rest = {
        number
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for number in range(node.lineno, node.end_lineno + 1)
    }
    return sum(
        number not in rest and bool(line.strip()) and line.strip()[0] != "#"
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
    )


@pytest.mark.parametrize("adapter", sorted(set(FRAMEWORKS) - LONGER))
def test_an_adapter_is_small(adapter):
    paths = package(adapter).rglob("*.py")

    assert sum(map(lines_of_code, paths)) <= 180  # near 150


def test_what_ties_django_to_the_core_is_small_beside_its_views_and_checks():
    django = package("server_tracking_django")

    assert lines_of_code(django / "middleware.py") <= 50
    assert all(lines_of_code(path) <= 200 for path in django.rglob("*.py"))
