"""The report in a real browser: headless Chromium, from a file, without a network.

`CHROMIUM` names the browser where it is not on the path; with `MUTRANSFER_NEED_CHROMIUM=1` its
lack is a failure, as in CI, and not a skip.
"""

import csv
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from mutransfer.analysis import labels
from mutransfer.analysis.reporting import page as report
from mutransfer.analysis.reporting.contents import Progress, ReportInputs
from mutransfer.analysis.reporting.samples import Gallery, Pair
from mutransfer.analysis.verdict import coordcheck
from mutransfer.analysis.verdict.judge import judge
from tests.analysis import planted
from tests.analysis.test_coordinates import planted as planted_sizes
from tests.analysis.test_coordinates import with_control

HOSTILE = "</title><script>alert('x')</script>\"'<img src=http://localhost:9/x onerror=alert(1)>"
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55"
    "0000000a49444154789c6360000000020001e221bc330000000049454e44ae426082"
)
SWITCHES = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PHONE, DESK = 390, 1440


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if path is None:
        text = "no Chromium: apt-get install chromium, or name it in the variable CHROMIUM"
        if os.environ.get("MUTRANSFER_NEED_CHROMIUM") == "1":
            pytest.fail(text)
        pytest.skip(text)
    with sync_playwright() as play:
        found = play.chromium.launch(executable_path=path, args=SWITCHES)
        yield found
        found.close()


@pytest.fixture(scope="module")
def path(material: ReportInputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report whose every name comes from an enemy."""
    sizes = with_control(planted_sizes(0.4)).replace("blocks.7", f"blocks.7{HOSTILE}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(labels, "HP_LABELS", {"lr": f"lr {HOSTILE}"})
        hostile = replace(
            material,
            run_info={"study": HOSTILE, "command": f"mutransfer analyze {HOSTILE}"},
            gallery=Gallery(HOSTILE, 64, [Pair(HOSTILE, PNG, PNG)]),
            check=coordcheck.judge(sizes),
            check_text=f"FAIL {HOSTILE}",
            progress=Progress(3, 4, ((HOSTILE, 1),)),
        )
        return report.write(hostile, tmp_path_factory.mktemp("page") / "report.html")


@dataclass
class Opened:
    """A page with all that it said and asked for."""

    page: Page
    said: list[str]
    asked: list[str]


def opened(browser: Browser, path: Path, *, width: int = DESK, scheme: str = "light") -> Opened:
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        permissions=["clipboard-read", "clipboard-write"],
        accept_downloads=True,
    )
    found = Opened(context.new_page(), [], [])
    found.page.on("console", lambda message: found.said.append(message.text))
    found.page.on("pageerror", lambda error: found.said.append(str(error)))
    found.page.on("dialog", lambda dialog: (found.said.append("dialog"), dialog.dismiss()))
    found.page.on("request", lambda request: found.asked.append(request.url))
    found.page.goto(path.as_uri())
    return found


def outside(page: Page) -> list[str]:
    """Elements that reach beyond the window, unless they may be scrolled by themselves."""
    return page.evaluate(
        """() => [...document.querySelectorAll("body *")]
          .filter((e) => !e.closest(".scroll, svg, #tip"))
          .filter((e) => { const r = e.getBoundingClientRect();
            return r.width > 0 && (r.left < -0.5 || r.right > innerWidth + 0.5); })
          .map((e) => e.outerHTML.slice(0, 80))"""
    )


def requests(found: Opened) -> list[str]:
    return [url for url in found.asked if not url.startswith(("file:", "data:", "blob:"))]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_it_is_read_at_any_width_without_a_word_or_a_request(
    browser: Browser, path: Path, width: int, scheme: str
) -> None:
    found = opened(browser, path, width=width, scheme=scheme)
    page = found.page
    assert found.said == [] and requests(found) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert outside(page) == []
    assert page.locator("h1").inner_text().startswith("</title><script>")
    sizes = page.eval_on_selector_all(
        ".panels svg text",
        "(texts) => texts.map((t) => t.getBoundingClientRect().height).filter((h) => h > 0)",
    )
    assert len(sizes) > 50 and min(sizes) > 8  # pixels
    assert page.eval_on_selector_all("img", "(all) => all.every((i) => i.complete)")
    page.context.close()


def test_the_audit_sees_what_it_is_to_see(browser: Browser, tmp_path: Path) -> None:
    """The negative control: a page with each fault."""
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<p style='width: 3000px'>x</p><img src='http://localhost:9/x'>"
        "<script>alert(1); throw new Error('y')</script>"
    )
    found = opened(browser, bad, width=PHONE)
    assert "dialog" in found.said and "y" in found.said
    assert requests(found) == ["http://localhost:9/x"]
    assert found.page.evaluate("document.documentElement.scrollWidth") > PHONE
    assert outside(found.page)
    found.page.context.close()


def test_every_figure_is_there_with_a_name_and_its_data(browser: Browser, path: Path) -> None:
    page = opened(browser, path).page
    names = page.eval_on_selector_all("figure[id]", "(all) => all.map((f) => f.id)")
    kinds = [f"{kind}_{hp}" for kind in ("loss", "drift", "regret") for hp in ("lr", "init_std")]
    wanted = [*kinds, "search", "heatmap", "importance", "coordcheck_change"]
    assert {f"figure-{name}" for name in wanted} <= set(names)
    for name in names:
        figure = page.locator(f'[id="{name}"]')
        assert figure.get_attribute("aria-label")
        box = figure.locator("svg").first.bounding_box()
        assert box["width"] > 200 and box["height"] > 100
        assert figure.locator("tbody tr").count() > 0
    unnamed = "svg:not([aria-label]), th:not([scope]), img:not([alt]), .scroll:not([aria-label])"
    assert page.locator(unnamed).count() == 0
    assert page.locator("h1").count() == 1 and page.locator("html[lang]").count() == 1
    page.context.close()


def test_a_mark_tells_its_values_by_mouse_and_by_keyboard(browser: Browser, path: Path) -> None:
    page = opened(browser, path).page
    picture = page.locator("#figure-loss_init_std svg").first
    tip = page.locator("#tip")
    assert tip.is_hidden()
    mark = picture.locator(".tip").nth(2)
    mark.hover(force=True)
    assert tip.inner_text() == mark.get_attribute("aria-label") and "loss" in tip.inner_text()
    page.mouse.move(1, 1)
    assert tip.is_hidden()
    picture.locator(".tip").first.focus()
    first = tip.inner_text()
    page.keyboard.press("ArrowRight")
    assert tip.is_visible() and tip.inner_text() != first
    page.keyboard.press("Escape")
    assert tip.is_hidden()
    assert picture.locator('[tabindex="0"]').count() == 1  # one stop of the Tab key
    page.context.close()


def test_the_data_can_be_opened_copied_and_saved(
    browser: Browser, path: Path, material: ReportInputs
) -> None:
    page = opened(browser, path).page
    details = page.locator("#figure-loss_init_std details")
    details.locator("summary").click()
    details.get_by_text("Copy", exact=True).click()
    details.get_by_text("copied").wait_for()
    copied = [
        line.split("\t") for line in page.evaluate("navigator.clipboard.readText()").split("\n")
    ]
    with page.expect_download() as waiting:
        details.get_by_text("Download CSV").click()
    saved = Path(waiting.value.path()).read_text(encoding="utf-8-sig")
    assert waiting.value.suggested_filename == "loss_init_std.csv"
    assert list(csv.reader(saved.splitlines())) == copied
    series = material.data.curves[1].panels[0].series[0]
    assert copied[0][:2] == ["arm", "width"]
    assert [float(row[4]) for row in copied[1 : 1 + len(series.mean)]] == pytest.approx(
        list(series.mean), rel=1e-5
    )
    page.context.close()


CONTRAST = """(selector) => {
  const parts = (c) => c.match(/[\\d.]+/g).map(Number);
  const light = (c) => parts(c).slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (e) => { for (; e; e = e.parentElement) {
    const c = getComputedStyle(e).backgroundColor; if ((parts(c)[3] ?? 1) > 0) return c; }
    return "rgb(255, 255, 255)"; };
  return [...document.querySelectorAll(selector)].map((e) => {
    const style = getComputedStyle(e);
    const [low, high] = [light(e.closest("svg") ? style.fill : style.color), light(behind(e))]
      .sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05); });
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_told_from_the_page(browser: Browser, path: Path, scheme: str) -> None:
    page = opened(browser, path, scheme=scheme).page
    texts = "h1, h2, h3, p, dt, dd, strong, small, a, th, td, summary, figcaption, svg text"
    found = page.evaluate(CONTRAST, texts)
    assert len(found) > 200 and min(found) >= 4.5
    page.context.close()


def test_on_paper_it_is_light_and_leaves_nothing_out(browser: Browser, path: Path) -> None:
    page = opened(browser, path, scheme="dark").page
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert min(page.evaluate(CONTRAST, "h1, p, svg text")) >= 4.5
    assert (
        page.locator("nav").is_hidden() and page.locator("#figure-drift_lr svg").first.is_visible()
    )
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.context.close()


def test_a_report_of_a_search_alone_is_whole_too(
    browser: Browser, material: ReportInputs, tmp_path: Path
) -> None:
    part = replace(
        material,
        df=material.df[:7],
        verdict=None,
        question=None,
        progress=Progress(7, 234, (("search", 5),)),
    )
    found = opened(browser, report.write(part, tmp_path / "report.html"), width=PHONE)
    assert found.said == [] and requests(found) == [] and outside(found.page) == []
    assert found.page.locator("figure[id]").count() == 2
    assert "7 of about 234" in found.page.locator("#progress").inner_text()
    found.page.context.close()


def test_a_verdict_without_figures_is_whole_too(
    browser: Browser, material: ReportInputs, tmp_path: Path
) -> None:
    asked = planted.question()
    nothing = replace(material, df=material.df[:0], verdict=judge(material.df[:0], asked))
    found = opened(browser, report.write(nothing, tmp_path / "report.html"), width=PHONE)
    assert found.said == [] and outside(found.page) == []
    assert found.page.locator("figure").count() == 0
    assert "INCONCLUSIVE" in found.page.locator("#verdict").inner_text()
    found.page.context.close()
