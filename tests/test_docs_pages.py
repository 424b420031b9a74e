"""The Python of the pages under docs/ runs, block after block of a page."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
PAGES = ("own-model.md",)


def blocks(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_the_blocks_of_a_page_run_as_they_stand(page):
    names: dict[str, object] = {}
    found = blocks(page)
    assert len(found) > 5
    for text in found:
        exec(compile(text, page, "exec"), names)
    with pytest.raises(AssertionError):  # the control: a wrong claim is found
        exec(found[-1].replace("/ 2)", "/ 3)"), names)


@pytest.mark.parametrize("page", PAGES)
def test_the_links_of_a_page_lead_to_files(page):
    links = re.findall(r"\]\(([^)#:]+)[^)]*\)", (DOCS / page).read_text())
    assert links and [link for link in links if not (DOCS / link).exists()] == []
