"""The sandbox's page in a real browser, against the real sandbox and a bot over its gateway."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.async_api import FilePayload, Locator, Page, Route, WebSocketRoute, expect

from tests.page.conftest import Stage
from tests.page.gestures import (
    choose_app,
    drop,
    last_message,
    message_box,
    offered,
    say,
    start_command,
    transfer,
)
from tests.page.naturalist import CARD_LINK

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def identify(page: Page, photo: FilePayload) -> Locator:
    """Run /identify on a dropped photo and return the answer."""
    await drop(page, photo)
    await start_command(page, "/iden")
    await page.get_by_role("button", name="Send").click()
    answer = page.get_by_role("article").filter(has_text="used /identify").last
    await expect(answer.get_by_role("link", name="Great Tit").first).to_be_visible()
    return answer


def lose_patience(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the sandbox give up on an answer after a moment instead of Discord's 3 s."""
    world = stage.sandbox.world
    monkeypatch.setattr(world, "settings", replace(world.settings, acknowledge_within=0.1))


async def test_a_dropped_photo_is_identified_with_the_keyboard_alone(
    stage: Stage, flower: FilePayload, artifacts: Path
) -> None:
    page, bot = stage.page, stage.bot
    await drop(page, flower)
    await expect(page.get_by_role("img", name="Preview of flower.jpg")).to_be_visible()

    await message_box(page).press_sequentially("/i")
    await expect(page.get_by_role("option", name="/identify")).to_be_visible()
    await page.screenshot(path=artifacts / "page-commands.png")
    await message_box(page).press("Enter")
    group = page.get_by_role("combobox", name="group")
    await expect(group).to_be_focused()
    await expect(offered(page)).to_have_text(["bird", "insect", "plant"])
    await page.screenshot(path=artifacts / "page-options.png")
    for key in ("ArrowDown", "ArrowDown", "ArrowUp", "Enter", "Enter"):
        await page.keyboard.press(key)

    answer = last_message(page)
    await expect(answer).to_contain_text("used /identify")
    await expect(answer.get_by_role("status")).to_have_text("Naturalist is thinking…")
    await page.screenshot(path=artifacts / "page-thinking.png")
    bot.may_answer.set()

    link = answer.get_by_role("region", name="Great Tit").get_by_role("link", name="Great Tit")
    await expect(link.first).to_have_attribute("href", CARD_LINK)
    await expect(link.first).to_have_attribute("rel", re.compile("noopener"))
    await expect(answer.get_by_text("thinking")).to_have_count(0)
    thumbnail = answer.get_by_role("img", name="Thumbnail of Great Tit")
    await expect(thumbnail).to_have_js_property("complete", True)
    assert await thumbnail.evaluate("image => image.naturalWidth") == 640
    await page.screenshot(path=artifacts / "page-card.png")
    assert bot.asked == {"bytes": len(flower["buffer"]), "group": "bird", "private": False}


async def test_inline_fields_share_a_row_of_three(stage: Stage, flower: FilePayload) -> None:
    stage.bot.may_answer.set()
    answer = await identify(stage.page, flower)
    boxes = []
    for name in ("Family", "Order", "Model", "Candidates"):
        box = await answer.get_by_text(name, exact=True).bounding_box()
        assert box is not None
        boxes.append(box)
    assert len({box["y"] for box in boxes[:3]}) == 1
    assert boxes[0]["x"] < boxes[1]["x"] < boxes[2]["x"]
    assert boxes[3]["y"] < boxes[0]["y"]


async def test_a_button_changes_its_card(stage: Stage, flower: FilePayload) -> None:
    stage.bot.may_answer.set()
    answer = await identify(stage.page, flower)
    await expect(answer.get_by_role("button", name="Delete")).to_be_disabled()
    await expect(answer.get_by_role("link", name="GBIF")).to_have_attribute("href", CARD_LINK)
    await answer.get_by_role("button", name="That's it").click()
    await expect(answer.get_by_role("button", name="Thank you")).to_be_disabled()


async def test_a_select_menu_works_with_the_keyboard(
    stage: Stage, flower: FilePayload, artifacts: Path
) -> None:
    stage.bot.may_answer.set()
    answer = await identify(stage.page, flower)
    menu = answer.get_by_role("combobox", name="Look again as")
    await menu.focus()
    await menu.press("ArrowDown")
    await expect(answer.get_by_role("option")).to_have_count(3)
    await stage.page.screenshot(path=artifacts / "page-select.png")
    await menu.press("ArrowDown")
    await menu.press("Enter")
    await expect(answer).to_contain_text("Looked again as Insect.")
    await expect(answer.get_by_role("combobox")).to_have_accessible_name(re.compile("Insect"))


async def test_a_modal_is_filled_in_and_answered(
    stage: Stage, flower: FilePayload, artifacts: Path
) -> None:
    page = stage.page
    stage.bot.may_answer.set()
    answer = await identify(page, flower)
    await answer.get_by_role("button", name="It is actually").click()
    modal = page.get_by_role("dialog", name="What is it?")
    await expect(modal.get_by_role("textbox", name="Scientific name")).to_be_focused()
    await page.keyboard.type("Periparus ater")
    await page.screenshot(path=artifacts / "page-modal.png")
    await page.keyboard.press("Enter")
    await expect(answer).to_contain_text("Noted: Periparus ater.")
    await expect(modal).to_have_count(0)


async def test_a_press_that_nobody_answers_says_so_at_the_message(
    stage: Stage, flower: FilePayload, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.bot.may_answer.set()
    answer = await identify(stage.page, flower)
    lose_patience(stage, monkeypatch)
    await answer.get_by_role("button", name="Ignore me").click()
    await expect(answer.get_by_role("alert")).to_have_text("The application did not respond")
    monkeypatch.undo()
    await answer.get_by_role("button", name="That's it").click()
    await expect(answer.get_by_role("alert")).to_have_count(0)


async def test_a_command_that_nobody_answers_says_so_where_it_was_used(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = stage.page
    lose_patience(stage, monkeypatch)
    await start_command(page, "/trouble sil")
    await page.keyboard.press("Enter")
    notice = last_message(page)
    await expect(notice).to_contain_text("used /trouble silence")
    await expect(notice.get_by_role("alert")).to_have_text("The application did not respond")
    await notice.get_by_role("button", name="Dismiss message").click()
    await expect(page.get_by_text("used /trouble silence")).to_have_count(0)


async def test_an_app_of_the_message_menu_answers_one_member_until_dismissed(
    stage: Stage, flower: FilePayload
) -> None:
    page = stage.page
    await drop(page, flower)
    sent = await say(page, "What is this?")
    await choose_app(page, sent, "Identify")
    answer = page.get_by_role("article").filter(has_text="Looked at flower.jpg.")
    await expect(answer).to_contain_text("used Identify")
    await expect(answer).to_contain_text("Only you can see this")

    acting = page.get_by_label("Acting as")
    me = await acting.input_value()
    await acting.select_option(index=1)
    await expect(answer).to_have_count(0)
    await acting.select_option(me)
    await answer.get_by_role("button", name="Dismiss message").click()
    await expect(answer).to_have_count(0)


async def test_right_click_and_keyboard_reach_the_message_menu(stage: Stage) -> None:
    page = stage.page
    sent = await say(page, "A message with a menu")
    await sent.get_by_text("A message with a menu").click(button="right")
    menu = page.get_by_role("menu", name="Message menu")
    await expect(menu.get_by_role("menuitem", name="Reply")).to_be_focused()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight"):
        await page.keyboard.press(key)
    await expect(page.get_by_role("menuitem", name="Identify")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(menu).to_have_count(0)


async def test_autocomplete_offers_what_the_bot_suggests(stage: Stage) -> None:
    page = stage.page
    await start_command(page, "/gbif")
    name = page.get_by_role("combobox", name="name")
    await name.press_sequentially("parus")
    await expect(offered(page)).to_have_text(["Parus major (species)", "Parus minor (species)"])
    for key in ("ArrowDown", "Tab"):
        await page.keyboard.press(key)
    await expect(page.get_by_role("textbox", name="limit")).to_be_focused()
    await page.keyboard.type("2")
    await page.keyboard.press("Enter")
    await expect(last_message(page)).to_contain_text("You asked for 'Parus minor', 2 at most.")


@pytest.mark.parametrize(
    ("name", "limit", "sentence"),
    [
        ("", "", "“name” is required."),
        ("Parus", "six", "“limit” must be a whole number."),
        ("Parus", "6", "“limit” must be at most 5."),
    ],
)
async def test_an_option_that_is_wrong_is_explained_and_not_sent(
    stage: Stage, name: str, limit: str, sentence: str
) -> None:
    form = await start_command(stage.page, "/gbif")
    await form.get_by_role("textbox", name="limit").fill(limit)
    await form.get_by_role("combobox", name="name").fill(name)
    await form.get_by_role("button", name="Send").click()
    await expect(form.get_by_role("alert")).to_have_text(sentence)
    await form.get_by_role("button", name="Cancel command").click()
    await expect(message_box(stage.page)).to_be_focused()


async def test_escape_leaves_the_list_first_and_then_the_command(
    stage: Stage, flower: FilePayload
) -> None:
    page = stage.page
    await drop(page, flower)
    form = await start_command(page, "/identify")
    await expect(form.get_by_role("listbox")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(form.get_by_role("listbox")).to_have_count(0)
    await expect(form.get_by_role("combobox", name="group")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(form).to_have_count(0)
    await expect(message_box(page)).to_be_focused()


async def test_a_missing_photo_is_asked_for(stage: Stage) -> None:
    form = await start_command(stage.page, "/identify")
    await form.get_by_role("button", name="Send").click()
    await expect(form.get_by_role("alert")).to_contain_text("“photo” is required")
    await expect(form.get_by_role("button", name="photo (required)")).to_be_focused()


async def test_a_value_outside_the_choices_is_explained(stage: Stage, flower: FilePayload) -> None:
    await drop(stage.page, flower)
    form = await start_command(stage.page, "/identify")
    await form.get_by_role("combobox", name="group").fill("fish")
    await form.get_by_role("button", name="Send").click()
    await expect(form.get_by_role("alert")).to_have_text(
        "“fish” is not one of the values of “group”: choose from the list."
    )


async def test_a_mention_from_the_picker_reaches_the_bot_and_is_answered_with_a_reply(
    stage: Stage,
) -> None:
    page = stage.page
    await message_box(page).press_sequentially("Good morning @nat")
    await expect(page.get_by_role("option", name="Naturalist")).to_be_visible()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    reply = page.get_by_role("article").filter(has_text="You said: Good morning @Naturalist")
    quoted = reply.get_by_role("button", name="Reply to")
    await expect(quoted).to_contain_text("Good morning @Naturalist")


async def test_own_messages_are_edited_and_deleted_and_those_of_others_are_not(
    stage: Stage,
) -> None:
    page = stage.page
    sent = await say(page, "First thought")
    await sent.get_by_role("button", name="More").click()
    await page.get_by_role("menuitem", name="Edit message").click()
    await page.get_by_role("textbox", name="Edit message").fill("Second thought")
    await page.keyboard.press("Enter")
    edited = page.get_by_role("article").filter(has_text="Second thought")
    await expect(edited).to_contain_text("(edited)")

    await page.get_by_label("Acting as").select_option(index=1)
    await edited.get_by_role("button", name="More").click()
    await expect(page.get_by_role("menuitem", name="Reply")).to_be_visible()
    await expect(page.get_by_role("menuitem", name="Delete message")).to_have_count(0)
    await page.keyboard.press("Escape")

    await page.get_by_label("Acting as").select_option(index=0)
    await edited.get_by_role("button", name="More").click()
    await page.get_by_role("menuitem", name="Delete message").click()
    await expect(edited).to_have_count(0)


async def test_a_spoilered_photo_is_covered_until_clicked(
    stage: Stage, flower: FilePayload, artifacts: Path
) -> None:
    page = stage.page
    await page.get_by_label("Choose files").set_input_files(flower)
    await page.get_by_role("button", name="Mark as spoiler").click()
    sent = await say(page, "Guess what")
    photo = sent.get_by_role("link", name="Open SPOILER_flower.jpg")
    await expect(photo).to_have_css("filter", re.compile("blur"))
    await page.screenshot(path=artifacts / "page-spoiler.png")
    await sent.get_by_role("button", name="Reveal spoiler").click()
    await expect(photo).to_have_css("filter", "none")


async def test_a_pasted_photo_can_be_taken_away_again(stage: Stage, flower: FilePayload) -> None:
    page = stage.page
    pasted = flower.copy()
    pasted["name"] = "pasted.png"
    await message_box(page).evaluate(
        """(box, clipboardData) => box.dispatchEvent(
            new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true })
        )""",
        await transfer(page, pasted),
    )
    await expect(page.get_by_role("img", name="Preview of pasted.png")).to_be_visible()
    await page.get_by_role("button", name="Remove pasted.png").click()
    await expect(page.get_by_role("img", name="Preview of pasted.png")).to_have_count(0)


async def test_hostile_text_stays_text(stage: Stage, artifacts: Path) -> None:
    page = stage.page
    await start_command(page, "/trouble host")
    await page.keyboard.press("Enter")
    answer = page.get_by_role("article").filter(has_text="used /trouble hostile")
    await expect(answer.get_by_role("region")).to_contain_text("<script>window.pwned = 1</script>")
    await expect(answer.locator("script, iframe, object, img")).to_have_count(0)
    hrefs = await answer.get_by_role("link").evaluate_all("links => links.map((a) => a.href)")
    assert set(hrefs) == {"https://example.org/fine"}
    await expect(answer).to_contain_text("Picture on tracker.example")
    assert await page.evaluate("window.pwned === undefined")
    width, room = await page.evaluate("[document.body.scrollWidth, innerWidth]")
    assert width <= room
    await page.screenshot(path=artifacts / "page-hostile.png")


async def test_direct_messages_with_the_bot_are_a_place_of_their_own(stage: Stage) -> None:
    page = stage.page
    await say(page, "In the channel")
    await (
        page.get_by_role("navigation", name="Channels")
        .get_by_role("button", name="Naturalist")
        .click()
    )
    await expect(page.get_by_text("In the channel")).to_have_count(0)
    await expect(page.get_by_role("textbox", name="Message @Naturalist")).to_be_visible()


async def test_what_is_said_while_a_channel_is_fetched_is_not_lost(stage: Stage) -> None:
    page, fetched, said = await stage.open_page("about:blank"), asyncio.Event(), asyncio.Event()

    async def deliver_late(route: Route) -> None:
        response = await route.fetch()
        fetched.set()
        await said.wait()
        await route.fulfill(response=response)

    await page.route("**/messages", deliver_late)
    await page.goto(stage.address)
    await fetched.wait()
    await say(stage.page, "Said in between")
    said.set()
    await expect(last_message(page)).to_contain_text("Said in between")


async def test_a_lost_connection_is_shown_and_nothing_is_missed(stage: Stage) -> None:
    page, back = await stage.open_page(stage.address), asyncio.Event()
    lines: list[WebSocketRoute] = []

    def connect(line: WebSocketRoute) -> None:
        lines.append(line)
        if len(lines) == 1:
            line.connect_to_server()

    async def hold(route: Route) -> None:
        if len(lines) > 1:
            await back.wait()
        await route.continue_()

    await page.route_web_socket("**/api/events", connect)
    await page.route("**/api/state", hold)
    await page.reload()
    await expect(page.get_by_text("Naturalist is online")).to_be_visible()
    await lines[0].close()
    lost = page.get_by_text("The connection to the sandbox is lost")
    await expect(lost).to_be_visible()

    await say(stage.page, "Said while you were away")
    back.set()
    await expect(last_message(page)).to_contain_text("Said while you were away")
    await expect(lost).to_be_hidden()
