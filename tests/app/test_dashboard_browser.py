"""The dashboard in a real browser, as a person uses it: by mouse, by keys, on a phone, signed in as a reader.

Each test also proves, by the fixture `page_complaints`, that nothing outside was asked for and no error was logged.
"""

from __future__ import annotations

import csv
import shutil

import pytest
from playwright.sync_api import expect
from tests.app.live_house import add_key
from tests.app.test_pages_browser import drawn, faults, fits, until
from tests.app.watched_home import FINDING_ID, make_watched_home, open_watched

from noria.app.http.server import create_app

pytestmark = pytest.mark.browser
PAGES = ("/", "/findings", f"/findings/{FINDING_ID}", "/slices", "/queries", "/queries/p00005", "/labels", "/releases",
         "/backlog")  # fmt: skip
AROUND = "echarts.getInstanceByDom(document.querySelector('.series-chart'))"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return make_watched_home(tmp_path_factory.mktemp("home"), a_day=20)


@pytest.fixture
def house(home, tmp_path):
    """A copy, so that no test finds keys or comments of another."""
    made = open_watched(shutil.copytree(home, tmp_path / "home"))
    yield made
    made.stores.close()


@pytest.fixture
def site(serve_app, house):
    return serve_app(create_app(house))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_serious_accessibility_fault(page, site, scheme):
    page.emulate_media(color_scheme=scheme)
    for path in PAGES:
        page.goto(f"{site}{path}")
        drawn(page)
        for details in page.locator("details").all():
            details.evaluate("d => { d.open = true; }")
        assert faults(page) == [], path


@pytest.mark.parametrize("width", [320, 390])
def test_every_page_fits_a_phone(page, site, width):
    page.set_viewport_size({"width": width, "height": 700})
    for path in PAGES:
        page.goto(f"{site}{path}")
        drawn(page)
        assert fits(page), path


def test_a_click_on_a_finding_in_the_graph_opens_its_page(page, site):
    page.goto(site)
    drawn(page)
    graph = "echarts.getInstanceByDom(document.getElementById('performance-chart'))"
    at = page.evaluate(
        f"""() => {{
          const graph = {graph}, found = graph.getOption().series.find((s) => s.name === 'findings');
          const [x, y] = graph.convertToPixel({{ seriesId: found.id, seriesName: 'findings' }}, found.data[0].value);
          const box = document.getElementById('performance-chart').getBoundingClientRect();
          return [box.x + x, box.y + y + found.data[0].symbolOffset[1]];
        }}"""
    )
    page.mouse.click(*at)
    page.wait_for_url(f"**/findings/{FINDING_ID}")
    expect(page.get_by_role("heading", name="Why")).to_be_visible()
    drawn(page)
    marks = page.evaluate(f"{AROUND}.getOption().series[2].markArea.data.length")
    assert marks == 1


def test_slice_metric_and_span_are_changed_in_place_and_kept_in_the_address(page, site):
    page.goto(f"{site}/slices")
    drawn(page)
    page.get_by_label("Slice by").select_option("account")
    expect(page.get_by_role("heading", name="By account")).to_be_visible()
    page.get_by_label("Metric").select_option("coverage")
    expect(page.get_by_role("columnheader", name="Coverage")).to_be_visible()
    page.get_by_role("link", name="birch").click()
    expect(page.get_by_role("heading", name="Coverage, Account birch")).to_be_visible()
    drawn(page)
    assert "value=birch" in page.url
    assert "metric=coverage" in page.url
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    expect(page.get_by_role("heading", name="Coverage, Account birch")).to_be_visible()
    page.get_by_role("link", name="Look at the queries of account birch").click()
    expect(page.locator("table.queries")).to_be_visible()
    assert set(page.locator("table.queries tbody td:nth-child(5)").all_inner_texts()) <= {
        "birch\nchat, en",
        "birch\nmail, en",
    }


def test_figures_are_saved_as_csv_and_the_graph_as_png(page, site):
    page.goto(f"{site}/slices?kind=account&days=28")
    drawn(page)
    with page.expect_download() as saved:
        page.get_by_role("link", name="CSV", exact=True).click()
    with saved.value.path().open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {r["account"] for r in rows} == {"acme", "birch", "cedar"}
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as PNG").click()
    assert saved.value.suggested_filename == "noria-slice.png"
    assert saved.value.path().read_bytes().startswith(b"\x89PNG")


def test_older_queries_follow_below(page, site):
    page.goto(f"{site}/queries?decision=answer")
    expect(page.locator("table.queries tbody tr")).to_have_count(50)
    page.get_by_role("link", name="Show older ones").click()
    expect(page.locator("table.queries tbody tr")).to_have_count(100)
    assert page.title() == "Queries · Noria"


def test_the_filters_of_queries_work_by_keys_alone(page, site):
    page.goto(f"{site}/queries")
    page.get_by_label("Words").focus()
    page.keyboard.type("passkey")
    page.keyboard.press("Enter")
    until(page, "document.querySelectorAll('table.queries tbody tr').length < 50")
    assert all("passkey" in text for text in page.locator("table.queries tbody th").all_inner_texts())
    assert "words=passkey" in page.url


def test_a_reader_signs_in_looks_and_may_not_answer(page, site, house):
    key = add_key(house, "reader")
    page.goto(f"{site}/findings/{FINDING_ID}")
    page.get_by_label("Key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**/findings/{FINDING_ID}")
    drawn(page)
    expect(page.get_by_role("heading", name="Who looks after it")).to_be_visible()
    expect(page.get_by_role("button", name="I look after it")).to_have_count(0)
    expect(page.get_by_label("Comment")).to_have_count(0)
    page.goto(f"{site}/queries")
    expect(page.locator("table.queries")).to_be_visible()
    assert "@example.com" not in page.content()


def test_an_operator_takes_a_finding_and_comments_on_it(page, site, house):
    key = add_key(house, "operator")
    page.goto(f"{site}/findings/{FINDING_ID}")
    page.get_by_label("Key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="I look after it")).to_be_visible()
    until(page, "window.htmx !== undefined")
    page.get_by_role("button", name="I look after it").click()
    expect(page.get_by_text("high, acknowledged")).to_be_visible()
    page.get_by_label("Comment").fill("<b>The passkey rollout</b> of Tuesday")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_text("<b>The passkey rollout</b> of Tuesday")).to_be_visible()
    assert faults(page) == []
    page.reload()
    expect(page.get_by_text("<b>The passkey rollout</b> of Tuesday")).to_be_visible()


def test_without_scripts_an_operator_takes_a_finding_and_comments_on_it(browser, site, house):
    key, context = add_key(house, "operator"), browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site}/findings/{FINDING_ID}")
    page.get_by_label("Key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="I look after it").click()
    page.wait_for_url(f"**/findings/{FINDING_ID}")
    expect(page.get_by_text("high, acknowledged")).to_be_visible()
    page.get_by_label("Comment").fill("by keyboard & without scripts")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_text("by keyboard & without scripts")).to_be_visible()
    assert page.url == f"{site}/findings/{FINDING_ID}"
    context.close()


def test_the_graph_follows_the_colour_scheme(page, site):
    page.goto(f"{site}/slices")
    drawn(page)
    ink = f"{AROUND}.getOption().textStyle.color"
    light = page.evaluate(ink)
    page.emulate_media(color_scheme="dark")
    until(page, f"{ink} !== '{light}'")
