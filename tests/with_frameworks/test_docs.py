"""The documentation is true: its code runs, its links lead somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def own_links(page):
    links = LINK.findall(page.read_text("utf-8"))
    return [link for link in links if not re.match(r"https?:|mailto:", link)]


def blocks():
    return [
        pytest.param(found[1], name, id=name)
        for page in PAGES
        for number, found in enumerate(BLOCK.finditer(page.read_text("utf-8")), 1)
        for name in [f"{page.relative_to(ROOT)}#{number}"]
    ]


@pytest.mark.parametrize(("code", "name"), blocks())
def test_a_block_of_python_runs(code, name):
    exec(compile(code, name, "exec"), {"__name__": "docs"})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_link_leads_somewhere(page):
    for target in own_links(page):
        assert (page.parent / target).exists(), target


def test_every_page_is_reachable_from_the_readme():
    seen, ahead = set(), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        ahead += [(page.parent / target).resolve() for target in own_links(page)]

    assert {page.resolve() for page in PAGES} <= seen


def test_the_readme_stays_short():
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 150
