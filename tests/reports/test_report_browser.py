"""The report in a real browser: its controls, its numbers, its themes, and that it calls nobody."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from places import ROOT
from report_fixture import make_study, write_everything

from reports.html import write_report

pytestmark = pytest.mark.browser

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import Select  # noqa: E402

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DRIVERS = (Path("/usr/bin/chromedriver"), Path("/usr/lib/chromium/chromedriver"))
WIDTHS = (1280, 400)
THEMES = ("light", "dark")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make_study(tmp_path_factory.mktemp("browser") / "study")
    made.out.mkdir()
    write_everything(made, undefined=["boolq"])
    write_report(made.out)
    return made.out


@pytest.fixture(scope="module")
def chrome(browser: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    driver = next((path for path in DRIVERS if path.exists()), None)
    if driver is None:
        pytest.skip("there is no chromedriver (Debian: chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(executable_path=str(driver))
    started = webdriver.Chrome(options=options, service=service)
    yield started
    started.quit()


@pytest.fixture
def page(chrome: Any, out: Path) -> Any:
    show(chrome, out, 1280, "light")
    return chrome


def show(chrome: Any, out: Path, width: int, theme: str) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    prefer_theme(chrome, theme)
    chrome.get((out / "report.html").as_uri())


def prefer_theme(chrome: Any, theme: str) -> None:
    features = [
        {"name": "prefers-color-scheme", "value": theme},
        {"name": "prefers-reduced-motion", "value": "reduce"},  # clicks need not wait for scrolling
    ]
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": features})


def find(page: Any, selector: str) -> Any:
    return page.find_element(By.CSS_SELECTOR, selector)


def find_all(page: Any, selector: str) -> list[Any]:
    found: list[Any] = page.find_elements(By.CSS_SELECTOR, selector)
    return found


def read_column(page: Any, table: str, column: int) -> list[str]:
    """Return the text of a column of a table's body, hidden or not."""
    script = "return [...document.querySelectorAll(arguments[0])].map(c => c.textContent)"
    found: list[str] = page.execute_script(script, f"#{table} tbody tr > :nth-child({column})")
    return found


def cell_of(page: Any, source: str, target: str) -> Any:
    """Return the heatmap's cell of a row and a column, wherever they stand."""
    script = """
        const [table, source, target] = arguments;
        const heads = [...document.querySelectorAll(`#${table} thead th`)];
        const column = heads.findIndex((head) => head.textContent === target);
        const row = [...document.querySelectorAll(`#${table} tbody tr`)]
            .find((row) => row.cells[0].textContent.trim() === source);
        return row.cells[column + 1];
    """
    return page.execute_script(script, "pairwise", source, target)


def test_no_console_message_and_no_request_but_the_file(page: Any, out: Path) -> None:
    for button in find_all(page, ".reorder, .sift, #theme, #theme"):
        button.click()
    assert page.get_log("browser") == []
    address = (out / "report.html").as_uri()
    logged = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    sent = [m["params"] for m in logged if m["method"] == "Network.requestWillBeSent"]
    urls = {p["request"]["url"] for p in sent if p["documentURL"] == address}
    assert address in urls
    assert {url.split(",")[0] for url in urls} <= {address, "data:"}


def test_the_selector_shows_one_task_at_a_time(page: Any) -> None:
    select = Select(find(page, "#task"))
    for task in ("boolq", "rte"):
        select.select_by_visible_text(task)
        shown = [part for part in find_all(page, ".influence") if part.is_displayed()]
        assert len(shown) == 1
        captions = [caption.text for caption in shown[0].find_elements(By.TAG_NAME, "caption")]
        assert captions == [f"What the others do to {task}", f"What {task} does to the others"]


def test_the_bars_are_the_table_s_gains(page: Any, out: Path) -> None:
    Select(find(page, "#task")).select_by_visible_text("boolq")
    shown = next(part for part in find_all(page, ".influence") if part.is_displayed())
    table = pd.read_parquet(out / "pairwise.parquet")
    for chart, own, other in zip(
        shown.find_elements(By.TAG_NAME, "table"),
        ("target", "source"),
        ("source", "target"),
        strict=True,
    ):
        rows = table[(table[own] == "boolq") & (table[other] != "boolq")]
        expected = rows.set_index(other)["value"]
        found = {
            row.find_element(By.TAG_NAME, "th").text: read_number(
                row.find_element(By.CSS_SELECTOR, ".number").text
            )
            for row in chart.find_elements(By.CSS_SELECTOR, "tbody tr")
        }
        assert len(found) == 12
        for task, value in found.items():
            assert value == pytest.approx(100 * expected[task], abs=0.0501)
        assert list(found.values()) == sorted(found.values(), reverse=True)


def read_number(text: str) -> float:
    match = re.search(r"[+−]?[\d.]+", text)
    assert match is not None, text
    return float(match[0].replace("−", "-"))


def test_bars_begin_at_zero_and_grow_to_their_side(page: Any) -> None:
    script = """
        return [...document.querySelectorAll('.influence:not([hidden]) tbody tr')].map((row) => {
            const track = row.querySelector('.track').getBoundingClientRect();
            const fill = row.querySelector('.fill').getBoundingClientRect();
            const zero = parseFloat(row.closest('table').style.getPropertyValue('--zero')) / 100;
            const at = track.left + zero * track.width;
            return [row.classList.contains('help'), fill.left - at, fill.right - at];
        })
    """
    found = page.execute_script(script)
    assert len(found) == 24
    for is_help, left, right in found:
        assert abs(left if is_help else right) < 1.5
        assert (right > 0) if is_help else (left < 0)


def test_a_table_sorts_by_number_and_by_name_both_ways(page: Any, out: Path) -> None:
    find(page, "#gains > details > summary").click()
    gains = pd.read_parquet(out / "pairwise.parquet")
    gains = gains[gains["source"] != gains["target"]]
    heads = find_all(page, "#all-gains thead button")
    heads[2].click()
    values = [read_number(text) for text in read_column(page, "all-gains", 3)]
    assert values == sorted(values, reverse=True)
    assert values[0] == pytest.approx(100 * gains["value"].max(), abs=0.00501)
    assert find(page, "#all-gains th[aria-sort]").get_attribute("aria-sort") == "descending"
    heads[2].click()
    values = [read_number(text) for text in read_column(page, "all-gains", 3)]
    assert values == sorted(values)
    heads[1].click()
    names = read_column(page, "all-gains", 2)
    assert names == sorted(names)
    assert len(find_all(page, "#all-gains th[aria-sort]")) == 1


def test_the_average_stays_at_the_foot_when_scores_are_sorted(page: Any) -> None:
    find_all(page, "#scores thead button")[-1].click()
    values = [float(text) for text in read_column(page, "scores", 7)]
    assert values == sorted(values, reverse=True)
    assert find(page, "#scores tfoot th").text == "Average"


def test_keys_move_through_a_heatmap_and_show_each_story(page: Any) -> None:
    first = find(page, '#pairwise td[tabindex="0"]')
    first.send_keys("")  # focus
    tip = find(page, "#tip")
    rows = [head.text for head in find_all(page, "#pairwise tbody th")]
    focused = page.switch_to.active_element
    focused.send_keys(Keys.ARROW_RIGHT)
    assert f"{rows[1]} trained with {rows[0]}" in tip.text
    page.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
    page.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
    assert f"{rows[1]} trained with {rows[2]}" in tip.text
    assert "95 % interval" in tip.text.replace("\u00a0", " ")
    assert "dev examples" in tip.text
    page.switch_to.active_element.send_keys(Keys.END)
    assert f"{rows[-1]} trained with {rows[2]}" in tip.text
    page.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not tip.is_displayed()
    assert len(find_all(page, '#pairwise td[tabindex="0"]')) == 1


def test_a_heatmap_is_one_stop_of_the_tab_key(page: Any) -> None:
    button = find_all(page, "#gains .tools button")[-1]
    page.execute_script("arguments[0].focus()", button)
    places = []
    for _ in range(4):
        page.switch_to.active_element.send_keys(Keys.TAB)
        focused = page.switch_to.active_element
        places.append(focused.tag_name)
    assert places[:3] == ["a", "td", "summary"]  # the data link, the table, what follows it


def test_hovering_shows_the_story_inside_the_window(chrome: Any, out: Path) -> None:
    for width in WIDTHS:
        show(chrome, out, width, "light")
        cell = cell_of(chrome, "mnli", "rte")
        chrome.execute_script("arguments[0].scrollIntoView({block: 'center'})", cell)
        webdriver.ActionChains(chrome).move_to_element(cell).perform()
        tip = find(chrome, "#tip")
        assert tip.is_displayed()
        assert tip.text.startswith("rte trained with mnli: ")
        box = tip.rect
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width


def test_the_story_of_a_cell_goes_with_it_when_the_page_scrolls(page: Any) -> None:
    cell = cell_of(page, "mnli", "rte")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", cell)
    page.execute_script("arguments[0].focus({preventScroll: true})", cell)
    tip = find(page, "#tip")
    before = tip.rect["y"] - cell.rect["y"]
    scroll_by(page, 40)
    assert tip.is_displayed()
    assert tip.rect["y"] - cell.rect["y"] == pytest.approx(before, abs=1)
    scroll_by(page, 5000)  # the cell is out of sight, and so is its story
    assert not tip.is_displayed()


def scroll_by(page: Any, height: int) -> None:
    """Scroll, and wait until the page has been told."""
    page.execute_async_script(
        "document.addEventListener('scroll', () => setTimeout(arguments[1]), {once: true});"
        "scrollBy({top: arguments[0], behavior: 'instant'})",
        height,
    )


def test_the_order_changes_and_every_number_stays_with_its_pair(page: Any, out: Path) -> None:
    wide = pd.read_parquet(out / "pairwise.parquet").pivot(
        index="source", columns="target", values="value"
    )
    button = find(page, "#gains .reorder")
    orders = []
    for _ in range(3):
        rows = [head.text for head in find_all(page, "#pairwise tbody th")]
        columns = [head.text for head in find_all(page, "#pairwise thead th")]
        assert rows == columns
        orders.append(rows)
        for source, target in (("stsb", "wnli"), ("rte", "mnli"), ("multirc", "imdb")):
            shown = read_number(cell_of(page, source, target).text)
            assert shown == pytest.approx(100 * wide.loc[source, target], abs=0.0501)
        button.click()
    assert orders[0] == orders[2]
    assert orders[1][:4] == ["mnli", "qnli", "rte", "wnli"]  # the paper's order
    assert orders[0] != orders[1]


def test_what_is_within_noise_can_be_faded(page: Any) -> None:
    cells = {name: find(page, f"#pairwise td.{name}") for name in ("sure", "unsure")}
    find(page, "#gains .sift").click()
    assert float(cells["unsure"].value_of_css_property("opacity")) < 0.5
    assert float(cells["sure"].value_of_css_property("opacity")) == 1


def read_background(page: Any) -> str:
    return str(find(page, "body").value_of_css_property("background-color"))


LIGHT, DARK = "rgba(255, 255, 255, 1)", "rgba(21, 24, 28, 1)"


def test_the_theme_follows_the_system_until_the_button_is_pressed(chrome: Any, out: Path) -> None:
    show(chrome, out, 1280, "dark")
    assert read_background(chrome) == DARK
    prefer_theme(chrome, "light")
    assert read_background(chrome) == LIGHT
    find(chrome, "#theme").click()
    assert read_background(chrome) == DARK
    prefer_theme(chrome, "dark")
    find(chrome, "#theme").click()
    assert read_background(chrome) == LIGHT


def test_pictures_follow_the_theme(chrome: Any, out: Path) -> None:
    colors = []
    for theme in THEMES:
        show(chrome, out, 1280, theme)
        label = find(chrome, "svg.plot text")
        colors.append(label.value_of_css_property("fill"))
    assert colors == ["rgb(26, 30, 35)", "rgb(231, 234, 238)"]


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_never_scrolls_sideways(chrome: Any, out: Path, width: int) -> None:
    show(chrome, out, width, "light")
    chrome.execute_script("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert chrome.execute_script("return document.documentElement.scrollWidth") <= width


def test_without_scripts_everything_is_still_there(chrome: Any, out: Path) -> None:
    chrome.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        show(chrome, out, 1280, "light")
        assert find(chrome, "#pairwise td.sure").is_displayed()
        assert not find(chrome, "#theme").is_displayed()
        assert len([part for part in find_all(chrome, ".influence") if part.is_displayed()]) == 1
    finally:
        chrome.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_a_hostile_script_is_blocked_by_the_page_s_policy(
    chrome: Any, out: Path, tmp_path: Path
) -> None:
    text = (out / "report.html").read_text(encoding="utf-8")
    body = "<script>window.hacked = 1</script><img src='http://127.0.0.1:9/x' onerror='hacked = 1'>"
    (tmp_path / "report.html").write_text(text.replace("<main>", f"<main>{body}"), encoding="utf-8")
    show(chrome, tmp_path, 1280, "light")
    assert chrome.execute_script("return window.hacked") is None
    assert any("Content Security Policy" in e["message"] for e in chrome.get_log("browser"))


def test_the_page_prints_on_white_without_its_controls(chrome: Any, out: Path) -> None:
    show(chrome, out, 1280, "dark")
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": []})
    try:
        assert read_background(chrome) == LIGHT
        assert not find(chrome, "#theme").is_displayed()
    finally:
        prefer_theme(chrome, "light")


def find_axe() -> Path | None:
    """Return where axe-core lies: AXE_CORE, or the project's node_modules."""
    given = os.environ.get("AXE_CORE")
    path = Path(given) if given else ROOT / "node_modules" / "axe-core" / "axe.min.js"
    return path if path.exists() else None


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (400, "dark")])
def test_axe_finds_nothing_serious(chrome: Any, out: Path, width: int, theme: str) -> None:
    axe = find_axe()
    if axe is None:
        pytest.skip("there is no axe-core (npm install --no-save axe-core), or set AXE_CORE")
    show(chrome, out, width, theme)
    chrome.execute_script("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    chrome.execute_script(axe.read_text(encoding="utf-8") + "; window.axe = axe;")
    chrome.set_script_timeout(60)
    script = "axe.run(document).then((found) => arguments[0](found.violations))"
    violations = chrome.execute_async_script(script)
    assert [v["id"] for v in violations if v["impact"] in ("serious", "critical")] == []
