"""The pages for each framework are built alike, so that one finds one's way in all."""

import re
from pathlib import Path

import pytest

FRAMEWORKS = Path(__file__).parents[2] / "docs" / "frameworks"
HEADINGS = [
    "Set up",
    "What it does",
    "Titles and routes",
    "Events",
    "Settings",
    "Errors",
    "Testing",
    "Honest notes",
]
PAGES = [page for page in sorted(FRAMEWORKS.glob("*.md")) if page.stem != "support"]
CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def prose(page):
    return CODE.sub("", page.read_text("utf-8"))


def test_there_is_a_page_for_each_framework():
    assert {page.stem for page in PAGES} == {
        "django",
        "flask",
        "starlette",
        "other",
        "new",
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_page_has_the_same_headings_in_the_same_order(page):
    assert re.findall(r"^## (.+)$", prose(page), re.MULTILINE) == HEADINGS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_page_begins_with_its_one_title(page):
    assert page.read_text("utf-8").startswith("# ")
    assert len(re.findall(r"^# ", prose(page), re.MULTILINE)) == 1


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_section_is_empty(page):
    for section in re.split(r"^## .+$", page.read_text("utf-8"), flags=re.MULTILINE)[
        1:
    ]:
        assert section.strip()
