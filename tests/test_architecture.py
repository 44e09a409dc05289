"""The table of layers is the documentation; these tests hold the code to it."""

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import server_tracking

PACKAGE = Path(server_tracking.__file__).parent

# From the top: each may import what stands below it, and of its own layer only what
# OWN_LAYER allows.
LAYERS = (
    {
        "cli",
        "checking",
        "demo",
        "disclosure",
        "draining",
        "inspector",
        "reference",
        "replaying",
        "telling",
        "testing",
    },
    {
        "wsgi",
        "asgi",
        "decorators",
        "configuration",
        "console",
        "consent_endpoint",
        "messages",
        "metrics",
        "own_cookie",
        "tasks",
    },
    {"contexts"},
    {"observation"},
    {"drafts"},
    {"tracker"},
    {"browser_tags", "explanation", "notices", "withdrawals"},
    {"extractor"},
    {"recognition", "settings"},
    {"senders"},
    {"systems"},
    {"cookieless", "platforms", "resolvers", "traits"},
    {
        "addresses",
        "agents",
        "bots",
        "campaigns",
        "consent",
        "cookies",
        "filters",
        "languages",
        "referrers",
        "salts",
        "scrubbing",
        "titles",
        "visitors",
    },
    {
        "calls",
        "endpoints",
        "errors",
        "exceptions",
        "exchange",
        "hits",
        "parameters",
        "reasons",
        "variables",
        "wire",
    },
    {"patterns"},
)
OWN_LAYER = {
    "calls": {"hits"},
    "checking": {"testing"},
    "consent_endpoint": {"messages"},
    "cli": {
        "checking",
        "demo",
        "disclosure",
        "draining",
        "inspector",
        "reference",
        "replaying",
        "telling",
    },
    "demo": {"inspector"},
    "inspector": {"inspector"},
    "endpoints": {"errors"},
    "explanation": {"browser_tags"},
    "exceptions": {"errors"},
    "own_cookie": {"messages"},
    "parameters": {"errors"},
    "platforms": {"platforms"},
    "reference": {"inspector", "testing"},
    "senders": {"senders"},
    "systems": {"systems"},
    "testing": {"testing", "inspector"},
    "wire": {"hits"},
}
# What the core may import beside the standard library.
CORE_DEPENDENCIES = {"anyio", "itsdangerous", "msgspec", "requests", "werkzeug"}
OPTIONAL = {
    "checking": {"click"},
    "cli": {"click"},
    "console": {"click"},
    "demo": {
        "click",
        "django",
        "flask",
        "server_tracking_django",
        "server_tracking_flask",
        "server_tracking_starlette",
        "starlette",
    },
    "disclosure": {"click"},
    "draining": {"click"},
    "inspector": {"click", "starlette", "uvicorn"},
    "reference": {"click"},
    "replaying": {"click"},
    "telling": {"click"},
    "senders": {"celery", "pycurl", "urllib3"},  # urllib3 is requests' own
    "tasks": {"celery"},
    "testing": {"hypothesis", "pytest"},
    "titles": {"brotli", "brotlicffi", "zstandard", "compression"},
}


def modules():
    return [
        pytest.param(path, id=str(path.relative_to(PACKAGE)))
        for path in sorted(PACKAGE.rglob("*.py"))
    ]


def imports(path):
    """Yield the dotted names that a module imports, at any depth."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module


def part_of(path):
    """Name the layer's member that a file belongs to."""
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def height(part):
    for level, members in enumerate(reversed(LAYERS)):
        if part in members:
            return level
    pytest.fail(f"{part} stands in no layer; add it to the table")


@pytest.mark.parametrize("path", modules())
def test_imports_point_downwards(path):
    part = part_of(path)
    if part == "__init__":
        return
    for name in imports(path):
        if not name.startswith("server_tracking."):
            continue
        target = name.split(".")[1]
        if target == part or target in OWN_LAYER.get(part, ()):
            continue
        assert height(target) < height(part), f"{part} imports {target}"


@pytest.mark.parametrize("path", modules())
def test_the_core_imports_nothing_optional(path):
    part = part_of(path)
    allowed = CORE_DEPENDENCIES | OPTIONAL.get(part, set())
    for name in imports(path):
        top = name.partition(".")[0]
        assert (
            top in sys.stdlib_module_names or top == "server_tracking" or top in allowed
        ), f"{part} imports {name}"


def test_systems_do_not_know_each_other():
    for path in (PACKAGE / "systems").rglob("*.py"):
        own = path.relative_to(PACKAGE / "systems").parts[0].removesuffix(".py")
        for name in imports(path):
            if name.startswith("server_tracking.systems."):
                assert own in ("__init__", name.split(".")[2]), path


def swallows(handler):
    """Tell whether an except clause catches all and does not raise it again."""
    names = (
        {n.id for n in ast.walk(handler.type) if isinstance(n, ast.Name)}
        if (handler.type)
        else {"BaseException"}
    )
    broad = names & {"Exception", "BaseException"}
    last = handler.body[-1]
    return bool(broad) and not (isinstance(last, ast.Raise) and last.exc is None)


def test_one_place_swallows_errors_while_serving():
    places = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ExceptHandler) and swallows(node):
                name = str(path.relative_to(PACKAGE))
                places[name] = places.get(name, 0) + 1

    # Senders work outside of requests: a thread must outlive what a system or a
    # hook raises. The decorator hands the error on to the handler's generator.
    outside = {n: c for n, c in places.items() if n.startswith("senders/")}
    del_decorators = places.pop("decorators.py")
    assert del_decorators == 1
    assert {n: c for n, c in places.items() if n not in outside} == {
        "observation.py": 1
    }


@pytest.mark.parametrize("path", modules())
def test_modules_are_short_enough_to_read(path):
    lines = len(path.read_text("utf-8").splitlines())
    assert lines <= 480, "split it; aim for 300"


@pytest.mark.parametrize("path", modules())
def test_every_module_and_public_name_has_a_docstring(path):
    tree = ast.parse(path.read_text("utf-8"))
    assert ast.get_docstring(tree), "the module"
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.name.startswith("_") or ast.get_docstring(node), node.name


def test_importing_the_package_loads_no_framework_and_no_http_client():
    script = (
        "import sys, server_tracking.wsgi, server_tracking.asgi;"
        "from server_tracking import *;"
        "loaded = {'requests', 'urllib3', 'starlette', 'django', 'flask', 'pycurl',"
        " 'uvicorn', 'celery', 'pytest', 'anyio', 'asyncio', 'tempfile', 'ssl'} & set(sys.modules);"
        "import threading;"
        "sys.exit(f'{loaded} {threading.active_count()} threads' if loaded or"
        " threading.active_count() > 1 else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


def test_all_lists_exactly_the_public_names():
    optional = set().union(*OPTIONAL.values())
    for info in pkgutil.walk_packages([str(PACKAGE)], "server_tracking."):
        try:
            module = importlib.import_module(info.name)
        except ModuleNotFoundError as error:
            # Where an optional dependency is missing, nothing else may fail.
            missing = error.name.partition(".")[0]
            assert missing in optional, f"{info.name} needs {missing}"
            continue
        for name in getattr(module, "__all__", ()):
            assert hasattr(module, name), f"{info.name}.{name}"


def test_every_test_file_collects_a_test():
    for path in Path(__file__).parent.rglob("test_*.py"):
        names = [
            node.name
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        ]
        assert any(n.startswith(("test", "Test")) for n in names), path
