"""The pages in a real browser: drawn, usable by keys alone, accessible, and safe against what users type.

Each test also proves, by the fixture `page_complaints`, that nothing outside was asked for and no error was logged.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from noria.app.http.server import create_app
from noria.app.report import render_report
from noria.connect import BuiltinDesk
from noria.errors import UsageError
from noria.label.settling import Settling
from noria.records import Label
from noria.stores.journal import Journal

from .made_up_house import PROBE, MadeUpHouse, empty_view, made_up_task, made_up_view

pytestmark = pytest.mark.browser
AXE = (Path(__file__).parent.parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
GRAPH = "echarts.getInstanceByDom(document.getElementById('performance-chart'))"


@pytest.fixture
def house():
    return MadeUpHouse()


@pytest.fixture
def site(serve_app, house):
    return serve_app(create_app(house))


def faults(page: Page) -> list[str]:
    """Serious and critical violations that axe finds, with the elements."""
    page.evaluate(AXE)
    found = page.evaluate(
        "async () => (await axe.run(document)).violations.map(v => [v.impact, v.id, v.nodes.map(n => n.html)])"
    )
    return [f"{rule}: {nodes}" for impact, rule, nodes in found if impact in {"serious", "critical"}]


def until(page: Page, script: str) -> None:
    """Waits for a script to come true; Playwright's own waiting uses eval, which our policy forbids."""
    for _ in range(100):
        if page.evaluate(script):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"never came true: {script}")


def drawn(page: Page) -> None:
    """Waits for the graph, which comes after the text, where the page has one."""
    for place in page.locator("#performance-chart, .series-chart").all():
        expect(place.locator("canvas")).to_be_visible()


def fits(page: Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def ask(page: Page, text: str) -> None:
    answers = page.locator(".turn")
    before = answers.count()
    page.get_by_label("Question").fill(text)
    page.keyboard.press("Enter")
    expect(answers).to_have_count(before + 1)


def start_labelling(page: Page, site: str) -> None:
    page.goto(f"{site}/label")
    page.get_by_label("Your name").fill("Ann")
    page.keyboard.press("Enter")
    expect(page.locator("#query")).to_be_focused()


# --- All pages ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_serious_accessibility_fault(page, site, scheme):
    """With answers, an open search and unfolded tables, in both colour schemes."""
    page.emulate_media(color_scheme=scheme)
    page.goto(site)
    drawn(page)
    page.get_by_text("The same figures as a table").click()
    assert faults(page) == []

    page.goto(f"{site}/ask")
    for text in ("I forgot my password", "unsure", "a car"):
        ask(page, text)
    page.get_by_role("button", name="Yes").first.click()
    expect(page.get_by_text("Thank you.")).to_be_visible()
    assert faults(page) == []

    page.goto(f"{site}/label")
    assert faults(page) == []
    start_labelling(page, site)
    page.get_by_text("Keys", exact=True).click()
    assert faults(page) == []
    page.locator("#intent").fill("vpn")
    assert faults(page) == []


@pytest.mark.parametrize("width", [320, 390])
def test_pages_fit_a_narrow_screen(page, site, width):
    """Nothing but tables, in their own frame, scrolls sideways."""
    page.set_viewport_size({"width": width, "height": 700})
    page.goto(site)
    drawn(page)
    page.get_by_text("The same figures as a table").click()
    assert fits(page)
    page.goto(f"{site}/ask")
    ask(page, f"probe {'x' * 200}")
    assert fits(page)
    start_labelling(page, site)
    assert fits(page)


def test_the_keyboard_gets_past_the_menu_and_sees_where_it_is(page, site):
    """The first stop is a link to the content; a focused link has a visible outline."""
    page.goto(site)
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    page.keyboard.press("Tab")
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) == "solid"


# --- Performance ----------------------------------------------------------------------------------------------------


def test_the_graph_shows_labels_band_loop_and_marks(page, site):
    page.goto(site)
    drawn(page)
    expect(page.locator(".without-script")).to_be_hidden()
    series = page.evaluate(f"{GRAPH}.getOption().series.map(s => [s.name, s.data.length])")
    assert series[:5] == [
        ["95 % interval", 60],
        ["95 % interval", 60],
        ["Success by labels", 60],
        ["With the loop", 60],
        ["Without the loop", 60],
    ]
    assert series[5:] == [["releases", 3], ["changes", 2], ["findings", 2]]


def test_the_graph_without_a_replay_has_no_loop_lines(page, serve_app):
    page.goto(serve_app(create_app(MadeUpHouse(made_up_view(10, replayed=False)))))
    drawn(page)
    names = page.evaluate(f"{GRAPH}.getOption().series.map(s => s.name)")
    assert "Success by labels" in names
    assert "With the loop" not in names


@pytest.mark.parametrize("width", [390, 1280])
def test_the_legend_covers_neither_the_graph_nor_the_slider(page, site, width):
    """Above the plot area, which ends above the slider."""
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(site)
    drawn(page)
    legend, plot, slider = page.evaluate(
        f"""() => {{
          const model = {GRAPH}.getModel();
          const view = {GRAPH};
          const box = (part) => view.getViewOfComponentModel(model.getComponent(part)).group;
          const bounds = (group) => {{
            const r = group.getBoundingRect().clone(); r.applyTransform(group.getComputedTransform()); return r;
          }};
          const grid = model.getComponent('grid').coordinateSystem.getRect();
          const [l, s] = [bounds(box('legend')), bounds(box('dataZoom'))];
          return [[l.y, l.y + l.height], [grid.y, grid.y + grid.height], [s.y, s.y + s.height]];
        }}"""
    )
    assert legend[1] < plot[0] < plot[1] < slider[0]


def test_pointing_at_a_day_tells_its_figures(page, site):
    """In the canvas: as HTML the tooltip would break the policy, which the console would tell."""
    page.goto(site)
    drawn(page)
    page.locator("#performance-chart").evaluate("chart => chart.scrollIntoView()")
    box = page.locator("#performance-chart").bounding_box()
    x, y = page.evaluate(f"{GRAPH}.convertToPixel({{gridIndex: 0}}, [{GRAPH}.getOption().series[2].data[5][0], 0.6])")
    page.mouse.move(box["x"] + x - 5, box["y"] + y)
    page.mouse.move(box["x"] + x, box["y"] + y)
    until(page, f"{GRAPH}.getZr().storage.getDisplayList(true).some(s => (s.style.text ?? '').includes('10 Jan 2026'))")


def test_the_figures_are_in_a_table_as_well(page, site):
    page.goto(site)
    table = page.locator("table.figures")
    expect(table).to_be_hidden()
    page.get_by_text("The same figures as a table").click()
    expect(table.locator("tbody tr")).to_have_count(60)
    expect(table.locator("tbody tr").nth(33)).to_contain_text("not enough labels")


def test_a_change_of_the_colour_scheme_redraws_the_graph(page, site):
    color = f"{GRAPH}.getOption().series[2].itemStyle.color"
    page.emulate_media(color_scheme="light")
    page.goto(site)
    drawn(page)
    light = page.evaluate(color)
    page.emulate_media(color_scheme="dark")
    until(page, f"{color} !== '{light}'")


def test_the_report_draws_the_same_graph_from_a_file(page, tmp_path):
    """Opened without any server, under its own policy."""
    path = tmp_path / "replay.html"
    path.write_text(render_report(made_up_view()), encoding="utf-8")
    page.goto(path.as_uri())
    drawn(page)
    assert page.evaluate(f"{GRAPH}.getOption().series.length") == 8
    assert faults(page) == []


# --- Ask ------------------------------------------------------------------------------------------------------------


def test_an_answer_shows_articles_confidence_and_release(page, site, house):
    page.goto(f"{site}/ask")
    page.get_by_label("Account", exact=True).select_option("birch")
    ask(page, "I forgot my password")
    turn = page.locator(".turn").first
    expect(turn).to_contain_text("Choose a new password yourself")
    expect(turn).to_contain_text("93 % for “Password reset”")
    expect(turn).to_contain_text("Release r0007")
    expect(turn.get_by_text("An account opens by itself")).to_be_hidden()
    turn.get_by_text("Unlock a locked account").click()
    expect(turn.get_by_text("An account opens by itself")).to_be_visible()
    assert house.service.asked[0].query.account == "birch"
    until(page, "document.querySelectorAll('.turn details[open]').length > 1")
    ask(page, "again my password")
    assert [(e.kind, e.value) for e in house.service.events] == [("article_opened", "kb-2")]


def test_what_is_typed_and_what_is_answered_stays_text(page, site):
    """The probe would load an image and rename the page if any of it became markup."""
    page.goto(f"{site}/ask")
    ask(page, f"probe {PROBE}")
    turn = page.locator(".turn").first
    expect(turn.locator(".question")).to_have_text(f"probe {PROBE}")
    expect(turn.locator("summary")).to_have_text(PROBE)
    assert page.locator("main img, main script").count() == 0
    assert page.title() == "Ask · Noria"


def test_thumbs_are_pressed_once_and_may_change(page, site, house):
    """Each belongs to the prediction it stands under."""
    page.goto(f"{site}/ask")
    ask(page, "my password")
    ask(page, "another password")
    older = page.locator(".turn").nth(1)
    yes, no = older.get_by_role("button", name="Yes"), older.get_by_role("button", name="No")
    yes.click()
    expect(yes).to_have_attribute("aria-pressed", "true")
    expect(older.get_by_role("status")).to_contain_text("Thank you.")
    yes.click()
    no.click()
    expect(no).to_have_attribute("aria-pressed", "true")
    expect(yes).to_have_attribute("aria-pressed", "false")
    first = house.service.asked[0].prediction_id
    assert [(e.prediction_id, e.kind) for e in house.service.events] == [(first, "helpful"), (first, "not_helpful")]


def test_a_choice_asks_again(page, site, house):
    page.goto(f"{site}/ask")
    ask(page, "unsure")
    page.get_by_role("button", name="VPN is slow").click()
    expect(page.locator(".turn")).to_have_count(2)
    first, second = house.service.asked
    assert second.query.text == "VPN is slow"
    assert second.query.session == first.query.session


def test_another_account_can_be_named(page, site, house):
    page.goto(f"{site}/ask")
    page.get_by_label("Account", exact=True).select_option("Another account …")
    page.get_by_label("Name of the other account").fill("elm")
    ask(page, "my password")
    assert house.service.asked[0].query.account == "elm"


def test_a_failure_is_told_and_the_question_stays(page, serve_app, page_complaints):
    page.goto(f"{serve_app(create_app(MadeUpHouse(empty_view(), release=None)))}/ask")
    page.get_by_label("Question").fill("my password")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("no release is live yet")
    expect(page.get_by_label("Question")).to_have_value("my password")
    # the browser logs the 503 itself
    assert all("503" in said for said in page_complaints)
    page_complaints.clear()


# --- Label ----------------------------------------------------------------------------------------------------------


def test_a_right_prediction_takes_three_keys(page, site, house):
    """Same as predicted, it helped, submit: without a mouse."""
    start_labelling(page, site)
    for key in ("Enter", "y", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("#query")).to_contain_text("please help")
    [label] = house.desk.labels
    assert (label.annotator, label.relevance, label.intent, label.helpful) == (
        "Ann",
        "in_scope",
        "password_reset",
        True,
    )
    expect(page.locator("#count")).to_have_text("1 of 3 labelled, 1 by you now")


def test_a_wrong_prediction_is_corrected_by_keys(page, site, house):
    start_labelling(page, site)
    page.keyboard.press("1")
    page.keyboard.press("/")
    page.keyboard.type("locked")
    page.keyboard.press("Enter")
    expect(page.locator("#intent")).to_have_value("Account locked")
    page.keyboard.press("n")
    page.keyboard.press("Enter")
    expect(page.locator("#query")).to_contain_text("please help")
    [label] = house.desk.labels
    assert (label.relevance, label.intent, label.helpful) == ("in_scope", "account_locked", False)


def test_the_search_is_moved_through_with_arrows_and_left_with_escape(page, site):
    start_labelling(page, site)
    page.keyboard.press("/")
    page.keyboard.type("vpn")
    page.keyboard.press("ArrowDown")
    marked = page.locator("#intent-list [aria-selected=true]")
    expect(marked).to_have_text("VPN is slow")
    expect(page.locator("#intent")).to_have_attribute("aria-activedescendant", "intent-list-1")
    page.keyboard.press("Escape")
    expect(page.locator("#intent-list")).to_be_hidden()
    expect(page.locator("#intent")).not_to_be_focused()


def test_a_new_domain_can_be_named_freely_and_the_name_is_offered_again(page, site, house):
    start_labelling(page, site)
    page.keyboard.press("2")
    page.keyboard.press("/")
    page.keyboard.type("lease a car")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.locator("#query")).to_contain_text("please help")
    label = house.desk.labels[0]
    assert (label.relevance, label.intent) == ("new_domain", "lease a car")
    page.keyboard.press("2")
    page.keyboard.press("/")
    expect(page.locator("#intent-list li")).to_have_text(["lease a car"])


def test_irrelevant_and_small_talk_take_no_intent(page, site, house):
    start_labelling(page, site)
    for key in ("1", "/"):
        page.keyboard.press(key)
    page.keyboard.type("slow")
    page.keyboard.press("Enter")
    page.keyboard.press("3")
    expect(page.locator("#intent-field")).to_be_hidden()
    page.keyboard.press("Enter")
    expect(page.locator("#query")).to_contain_text("please help")
    page.keyboard.press("4")
    page.keyboard.press("Enter")
    expect(page.locator("#query")).to_contain_text("lease a car")
    assert [(la.relevance, la.intent) for la in house.desk.labels] == [("irrelevant", None), ("small_talk", None)]


def test_a_prediction_out_of_scope_is_confirmed_as_a_new_domain(page, site, house):
    house.desk.tasks = house.desk.tasks[2:]
    start_labelling(page, site)
    page.keyboard.press("s")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Nothing to label")).to_be_focused()
    assert (house.desk.labels[0].relevance, house.desk.labels[0].intent) == ("new_domain", None)


def test_one_can_go_back_and_label_again(page, site, house):
    """The earlier label is shown; the new one replaces it, and the sitting's count stays true."""
    start_labelling(page, site)
    for key in ("Enter", "y", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("#query")).to_contain_text("please help")
    page.keyboard.press("u")
    expect(page.locator("#query")).to_contain_text("i forgot my password")
    expect(page.get_by_role("radio", name="in scope")).to_be_checked()
    expect(page.get_by_role("radio", name="yes")).to_be_checked()
    expect(page.locator("#intent")).to_have_value("Password reset")
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    expect(page.locator("#query")).to_contain_text("please help")
    assert [(la.task_id, la.relevance) for la in house.desk.labels] == [("t-1", "in_scope"), ("t-1", "irrelevant")]
    expect(page.locator("#count")).to_have_text("1 of 3 labelled, 1 by you now")


def test_the_desk_shows_what_users_typed_as_text(page, site):
    start_labelling(page, site)
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    expect(page.locator("#query")).to_have_text(f"please help {PROBE}")
    expect(page.locator("#thought summary")).to_have_text(PROBE)
    assert page.locator("#desk img").count() == 0
    assert page.title() == "Label · Noria"


def test_a_blind_task_shows_no_prediction_and_none_can_be_taken_over(page, site, house):
    house.desk.tasks = [made_up_task(1, "my pass word", show_prediction=False)]
    start_labelling(page, site)
    expect(page.locator("#thought")).to_be_hidden()
    page.keyboard.press("s")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").last).to_contain_text("Say first what it is")
    assert house.desk.labels == []


def test_a_refused_label_stays_on_the_desk_with_the_reason(page, site, house, page_complaints):
    def refuse(label):
        raise UsageError("intent 'password_reset' left the scope yesterday.")

    house.desk.submit = refuse
    start_labelling(page, site)
    for key in ("Enter", "y", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("#error")).to_contain_text("left the scope yesterday")
    expect(page.get_by_role("radio", name="yes")).to_be_checked()
    assert all("422" in said for said in page_complaints)
    page_complaints.clear()


def test_single_keys_can_be_switched_off_and_typing_is_never_a_shortcut(page, site):
    start_labelling(page, site)
    page.get_by_label("Note").fill("")
    page.get_by_label("Note").press_sequentially("123 yes/no s")
    expect(page.locator("[name=relevance]:checked")).to_have_count(0)
    page.get_by_text("Keys", exact=True).click()
    page.get_by_label("Single keys are shortcuts").uncheck()
    page.locator("#query").focus()
    page.keyboard.press("1")
    expect(page.locator("[name=relevance]:checked")).to_have_count(0)


@pytest.fixture
def real_desk(house, tmp_path):
    """The desk that Noria brings along, on a journal of its own, behind the made-up house."""
    journal = Journal.open(f"sqlite:///{tmp_path}/journal.db")
    house.desk = BuiltinDesk(journal)
    house.settle = lambda: journal.settle(Settling())
    yield house.desk
    journal.close()


def test_twenty_tasks_take_at_most_three_keys_each_where_the_prediction_is_right(page, site, house, real_desk):
    real_desk.push([made_up_task(n, f"query {n} of twenty", created_ms=n) for n in range(1, 21)])
    start_labelling(page, site)
    pressed = 0
    for number in range(1, 21):
        expect(page.locator("#query")).to_have_text(f"query {number} of twenty")
        for key in ("Enter", "y", "Enter"):
            page.keyboard.press(key)
            pressed += 1
    expect(page.get_by_role("heading", name="Nothing to label")).to_be_focused()
    assert pressed <= 3 * 20
    labels = real_desk.collect(0)
    assert len(labels) == 20
    assert {(la.relevance, la.intent, la.helpful, la.annotator) for la in labels} == {
        ("in_scope", "password_reset", True, "Ann")
    }
    assert real_desk.status().open == 0


def label_as(page, name):
    page.get_by_role("button", name="Change").click()
    page.get_by_label("Your name").fill(name)
    page.keyboard.press("Enter")


def test_a_task_for_two_people_is_shown_to_the_second_and_not_again_to_the_first(page, site, house, real_desk):
    real_desk.push([made_up_task(1, "two are asked", annotators=2), made_up_task(2, "one is asked", created_ms=2**41)])
    start_labelling(page, site)
    for shown in ("two are asked", "one is asked"):
        expect(page.locator("#query")).to_have_text(shown)
        for key in ("Enter", "Enter"):
            page.keyboard.press(key)
    expect(page.get_by_role("heading", name="Nothing to label")).to_be_focused()
    page.reload()
    expect(page.get_by_role("heading", name="Nothing to label")).to_be_visible()
    label_as(page, "Ben")
    expect(page.locator("#query")).to_have_text("two are asked")
    for key in ("3", "Enter"):
        page.keyboard.press(key)
    expect(page.get_by_role("heading", name="Nothing to label")).to_be_focused()
    assert sorted((la.task_id, la.annotator) for la in real_desk.collect(0)) == [
        ("t-1", "Ann"), ("t-1", "Ben"), ("t-2", "Ann"),
    ]  # fmt: skip


def test_a_dispute_is_decided_on_the_page_by_name_and_by_keys(page, site, house, real_desk):
    task = made_up_task(1, "is it in scope", annotators=2)
    real_desk.push([task])
    for number, (who, relevance, intent) in enumerate([("Ann", "in_scope", "vpn_slow"), ("Ben", "irrelevant", None)]):
        real_desk.submit(Label(f"l{number}", "t-1", "p-1", who, relevance, intent, (), helpful=None, time_ms=number))
    house.settle()
    page.goto(f"{site}/label?adjudicate")
    page.get_by_label("Your name").fill("Eve")
    page.keyboard.press("Enter")
    expect(page.locator("#said li")).to_have_text(["Ann: in scope, VPN is slow", "Ben: irrelevant"])
    for key in ("3", "Enter"):
        page.keyboard.press(key)
    expect(page.get_by_text("People agree on every task")).to_be_visible()
    last = real_desk.collect(0)[-1]
    assert (last.annotator, last.relevance, last.adjudication) == ("Eve", "irrelevant", True)
    assert real_desk.disputed() == []


def test_right_articles_are_marked_by_keys_and_none_excludes_the_others(page, site, house):
    start_labelling(page, site)
    for key in ("Enter", "a", "Space", "Tab", "Space", "Tab", "Space"):
        page.keyboard.press(key)
    expect(page.locator("#articles :checked")).to_have_count(1)
    expect(page.get_by_role("checkbox", name="none exists")).to_be_checked()
    for key in ("Shift+Tab", "Space", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("#query")).to_contain_text("please help")
    assert house.desk.labels[0].article_ids == ("kb-2",)


def test_the_labeller_is_remembered_and_can_be_changed(page, site, house):
    start_labelling(page, site)
    page.reload()
    expect(page.locator("#me-name")).to_have_text("Ann")
    page.get_by_role("button", name="Change").click()
    page.get_by_label("Your name").fill("Ben")
    page.keyboard.press("Enter")
    expect(page.locator("#query")).to_be_focused()
    for key in ("Enter", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("#query")).to_contain_text("please help")
    assert house.desk.labels[0].annotator == "Ben"
