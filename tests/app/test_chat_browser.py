"""The chat in a real browser: usable by keys alone, accessible, on other sites, and safe against what anybody types.

Each test also proves, by the fixture `page_complaints`, that nothing outside was asked for and no error was logged.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route
from tests.serve.odd_texts import PROBES

from noria.app.http.server import create_app
from noria.records.access import AccountRules

from .made_up_house import MadeUpHouse
from .test_pages_browser import faults, fits

pytestmark = pytest.mark.browser


@pytest.fixture
def house():
    return MadeUpHouse()


@pytest.fixture
def site(serve_app, house):
    return serve_app(create_app(house))


def open_chat(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_role("button", name="IT help").click()
    expect(page.get_by_label("Your question")).to_be_focused()


def ask(page: Page, text: str) -> None:
    answers = page.locator("[data-prediction]")
    before = answers.count()
    page.get_by_label("Your question").fill(text)
    page.keyboard.press("Enter")
    expect(answers).to_have_count(before + 1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_open_chat_has_no_accessibility_fault(page, site, scheme):
    page.emulate_media(color_scheme=scheme)
    open_chat(page, f"{site}/chat")
    for text in ("I forgot my password", "unsure", "a car"):
        ask(page, text)
    page.get_by_role("button", name="Yes").click()
    expect(page.get_by_text("Thank you.")).to_be_visible()
    assert faults(page) == []


def test_thumbs_and_opened_articles_are_tied_to_the_prediction(page, site, house):
    open_chat(page, f"{site}/chat")
    ask(page, "I forgot my password")
    page.get_by_text("Choose a new password yourself").click()
    page.get_by_role("button", name="No").click()
    expect(page.get_by_role("button", name="No")).to_have_attribute("aria-pressed", "true")
    [prediction] = house.service.asked
    assert [(e.kind, e.prediction_id, e.value) for e in house.service.events] == [
        ("article_opened", prediction.prediction_id, "kb-1"), ("not_helpful", prediction.prediction_id, ""),
    ]  # fmt: skip
    assert prediction.query.channel == "chat"
    assert house.service.came_with[0].in_session


def test_a_choice_is_a_button_and_says_what_it_was_taken_from(page, site, house):
    open_chat(page, f"{site}/chat")
    ask(page, "unsure")
    page.get_by_role("button", name="VPN is slow").click()
    expect(page.locator("[data-prediction]")).to_have_count(2)
    assert house.service.came_with[1].choice == (house.service.asked[0].prediction_id, "vpn_slow")
    assert len({p.query.session for p in house.service.asked}) == 1


def test_a_person_takes_over_with_the_session(page, site, house):
    open_chat(page, f"{site}/chat")
    page.get_by_role("button", name="Talk to a person").click()
    expect(page.get_by_text("Ask your question first")).to_be_visible()
    ask(page, "a car")
    page.get_by_role("button", name="Talk to a person").click()
    expect(page.get_by_text("A person at the service desk takes over")).to_be_visible()
    [handed] = house.service.handed.values()
    assert handed.session == house.service.asked[0].query.session


def test_nothing_that_is_typed_or_written_in_an_article_is_run(page, site):
    """What would run changes the title, or logs an error, which the fixture finds."""
    open_chat(page, f"{site}/chat")
    title = page.title()
    for text in ["probe <img src=x onerror=\"document.title='broken'\">", *(p for p in PROBES if "<" in p)]:
        ask(page, text)
    page.locator("details").first.click()
    assert page.title() == title
    assert page.locator("noria-chat img, noria-chat script").count() == 0
    expect(page.get_by_text("<img src=x onerror=\"document.title='broken'\">").first).to_be_visible()


def test_the_keyboard_opens_asks_and_closes_and_the_focus_comes_back(page, site):
    page.goto(f"{site}/chat")
    page.get_by_role("button", name="IT help").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Your question")).to_be_focused()
    ask(page, "I forgot my password")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="IT help")).to_be_focused()
    assert page.get_by_label("Your question").count() == 1
    expect(page.get_by_label("Your question")).to_be_hidden()


def test_the_conversation_is_there_after_a_new_load_and_goes_on(page, site, house):
    open_chat(page, f"{site}/chat")
    ask(page, "I forgot my password")
    open_chat(page, f"{site}/chat")
    expect(page.locator("[data-prediction]")).to_have_count(1)
    ask(page, "a car")
    assert len({p.query.session for p in house.service.asked}) == 1


def test_after_a_failure_it_is_sent_again_with_the_same_id(page, site, house, page_complaints):
    open_chat(page, f"{site}/chat")
    page.route("**/v1/ask/stream", lambda route: route.abort(), times=1)
    page.get_by_label("Your question").fill("I forgot my password")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The server cannot be reached")).to_be_visible()
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("[data-prediction]")).to_have_count(1)
    assert len(house.service.asked) == 1
    assert all("Failed to load resource" in said for said in page_complaints)
    page_complaints.clear()


@pytest.mark.parametrize("width", [320, 390])
def test_it_fits_a_narrow_screen(page, site, width):
    page.set_viewport_size({"width": width, "height": 600})
    open_chat(page, f"{site}/chat")
    ask(page, f"I forgot my password {'x' * 300}")
    assert fits(page)
    box = page.locator("noria-chat section").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width


def test_it_works_on_another_site_with_a_strict_policy_and_a_token_of_its_back_end(page, serve_app, site, house):
    """The browser holds a session's token, never the key."""
    key = house.add_key("widget", "acme")
    said = page.request.post(
        f"{site}/v1/sessions", data={"account": "acme", "requester": "ann"}, headers={"Authorization": f"Bearer {key}"}
    ).json()
    policy = f"default-src 'none'; script-src {site}; connect-src {site}; img-src data:"

    async def shop(request):
        return HTMLResponse(
            f'<!doctype html><html lang="en"><head><title>Shop</title><link rel="icon" href="data:,">'
            f'<script type="module" src="{site}/static/chat/noria-chat.js"></script></head><body><main><h1>Shop</h1>'
            f'<noria-chat endpoint="{site}" account="acme" token="{said["token"]}" heading="IT help"></noria-chat>'
            "</main></body></html>",
            headers={"Content-Security-Policy": policy},
        )

    other = serve_app(Starlette(routes=[Route("/", shop)]))
    house.account_rules = [AccountRules("acme", origins=(other,))]
    house.keyring.refresh()
    open_chat(page, other)
    ask(page, "I forgot my password")
    assert house.service.came_with[0].requester == "ann"
    assert key not in page.content()
