"""Adapters stay thin: what they import, how long they are, what they never do."""

import ast
import importlib
from pathlib import Path

import pytest

ADAPTERS = Path(__file__).parents[1] / "adapters"
# Views, checks and commands are Django's own ways in.
LONGER = {"server_tracking_django"}
FRAMEWORKS = {
    "server_tracking_django": {"django", "asgiref"},
    "server_tracking_flask": {"flask", "click"},
    "server_tracking_starlette": {"starlette"},
}
# What the core does, and an adapter hands on.
NOT_THEIR_BUSINESS = {"requests", "urllib", "http", "itsdangerous", "re", "hmac"}


def modules():
    return [
        pytest.param(path, id=str(path.relative_to(ADAPTERS)))
        for path in sorted(ADAPTERS.rglob("*.py"))
    ]


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
    own = path.relative_to(ADAPTERS).parts[0]
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


@pytest.mark.parametrize("adapter", sorted(set(FRAMEWORKS) - LONGER))
def test_an_adapter_is_small_and_parses_nothing(adapter):
    lines = 0
    for path in sorted((ADAPTERS / adapter).rglob("*.py")):
        lines += sum(
            bool(line.strip()) for line in path.read_text("utf-8").splitlines()
        )
        for module, _ in imported(path):
            assert module.partition(".")[0] not in NOT_THEIR_BUSINESS, module
    # Near 150 of code, and as much again of docstrings and imports.
    assert lines <= 300
