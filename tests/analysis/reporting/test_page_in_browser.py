"""The report in a real browser: headless Chromium, from a file, without a network.

`CHROMIUM` names the browser where it is not on the path; with `MUTRANSFER_NEED_CHROMIUM=1` its
absence is a failure, as in CI, and not a skip.
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
from mutransfer.analysis.reporting.contents import ReportInputs, StudyProgress
from mutransfer.analysis.reporting.page import write
from mutransfer.analysis.reporting.samples import Gallery, SamplePair
from mutransfer.analysis.verdict import coordcheck
from mutransfer.analysis.verdict.evidence import gather
from mutransfer.analysis.verdict.judge import judge
from tests.analysis import planted, planted_sizes

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
        chromium = play.chromium.launch(executable_path=path, args=SWITCHES)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def path(inputs: ReportInputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report in which every name is hostile."""
    sizes = planted_sizes.with_control(planted_sizes.planted(0.4)).replace(
        "blocks.7", f"blocks.7{HOSTILE}"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(labels, "HP_LABELS", {"lr": f"lr {HOSTILE}"})
        hostile = replace(
            inputs,
            run_info={"study": HOSTILE, "command": f"mutransfer analyze {HOSTILE}"},
            gallery=Gallery(HOSTILE, 64, [SamplePair(HOSTILE, PNG, PNG)]),
            check=coordcheck.judge(sizes),
            check_text=f"FAIL {HOSTILE}",
            progress=StudyProgress(3, 4, ((HOSTILE, 1),)),
        )
        return write(hostile, tmp_path_factory.mktemp("page") / "report.html")


@dataclass
class Tab:
    """A page with its messages, errors and dialogs, and the addresses that it requested."""

    page: Page
    messages: list[str]
    urls: list[str]


def opened(browser: Browser, path: Path, *, width: int = DESK, scheme: str = "light") -> Tab:
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        permissions=["clipboard-read", "clipboard-write"],
        accept_downloads=True,
    )
    tab = Tab(context.new_page(), [], [])
    tab.page.on("console", lambda message: tab.messages.append(message.text))
    tab.page.on("pageerror", lambda error: tab.messages.append(str(error)))
    tab.page.on("dialog", lambda dialog: (tab.messages.append("dialog"), dialog.dismiss()))
    tab.page.on("request", lambda request: tab.urls.append(request.url))
    tab.page.goto(path.as_uri())
    return tab


def outside(page: Page) -> list[str]:
    """Elements that extend beyond the window, except inside a region that scrolls."""
    return page.evaluate(
        """() => [...document.querySelectorAll("body *")]
          .filter((e) => !e.closest(".scroll, svg, #tip"))
          .filter((e) => { const r = e.getBoundingClientRect();
            return r.width > 0 && (r.left < -0.5 || r.right > innerWidth + 0.5); })
          .map((e) => e.outerHTML.slice(0, 80))"""
    )


def external_requests(tab: Tab) -> list[str]:
    return [url for url in tab.urls if not url.startswith(("file:", "data:", "blob:"))]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_it_fits_any_window_without_messages_or_requests(
    browser: Browser, path: Path, width: int, scheme: str
) -> None:
    tab = opened(browser, path, width=width, scheme=scheme)
    page = tab.page
    assert tab.messages == [] and external_requests(tab) == []
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


def test_the_audit_sees_each_fault(browser: Browser, tmp_path: Path) -> None:
    """The negative control: a page with each fault."""
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<p style='width: 3000px'>x</p><img src='http://localhost:9/x'>"
        "<script>alert(1); throw new Error('y')</script>"
    )
    tab = opened(browser, bad, width=PHONE)
    assert "dialog" in tab.messages and "y" in tab.messages
    assert external_requests(tab) == ["http://localhost:9/x"]
    assert tab.page.evaluate("document.documentElement.scrollWidth") > PHONE
    assert outside(tab.page)
    tab.page.context.close()


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


def test_a_point_shows_its_values_by_mouse_and_by_keyboard(browser: Browser, path: Path) -> None:
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
    browser: Browser, path: Path, inputs: ReportInputs
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
    series = inputs.data.curves[1].panels[0].series[0]
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
def test_text_stands_out_from_the_page(browser: Browser, path: Path, scheme: str) -> None:
    page = opened(browser, path, scheme=scheme).page
    texts = "h1, h2, h3, p, dt, dd, strong, small, a, th, td, summary, figcaption, svg text"
    contrasts = page.evaluate(CONTRAST, texts)
    assert len(contrasts) > 200 and min(contrasts) >= 4.5
    page.context.close()


def test_printed_it_is_light_and_complete(browser: Browser, path: Path) -> None:
    page = opened(browser, path, scheme="dark").page
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert min(page.evaluate(CONTRAST, "h1, p, svg text")) >= 4.5
    assert (
        page.locator("nav").is_hidden() and page.locator("#figure-drift_lr svg").first.is_visible()
    )
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.context.close()


def test_a_report_of_a_search_alone_is_complete(
    browser: Browser, inputs: ReportInputs, tmp_path: Path
) -> None:
    search_only = replace(
        inputs,
        df=inputs.df[:7],
        verdict=None,
        question=None,
        progress=StudyProgress(7, 234, (("search", 5),)),
    )
    tab = opened(browser, write(search_only, tmp_path / "report.html"), width=PHONE)
    assert tab.messages == [] and external_requests(tab) == [] and outside(tab.page) == []
    assert tab.page.locator("figure[id]").count() == 2
    assert "7 of about 234" in tab.page.locator("#progress").inner_text()
    tab.page.context.close()


def test_a_verdict_without_figures_is_complete(
    browser: Browser, inputs: ReportInputs, tmp_path: Path
) -> None:
    question = planted.question()
    empty = inputs.df[:0]
    nothing = replace(
        inputs, df=empty, verdict=judge(empty, question), fits=gather(empty, question)
    )
    tab = opened(browser, write(nothing, tmp_path / "report.html"), width=PHONE)
    assert tab.messages == [] and outside(tab.page) == []
    assert tab.page.locator("figure").count() == 0
    assert "INCONCLUSIVE" in tab.page.locator("#verdict").inner_text()
    tab.page.context.close()
