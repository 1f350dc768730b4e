"""What a person does at the page, for tests to say in one line."""

from __future__ import annotations

import base64

from playwright.async_api import FilePayload, JSHandle, Locator, Page, expect

TRANSFER = """({ name, mimeType, data }) => {
    const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], name, { type: mimeType }));
    return transfer;
}"""


async def transfer(page: Page, photo: FilePayload) -> JSHandle:
    """Put a photo into the browser as a drag or the clipboard carries it."""
    data = base64.b64encode(photo["buffer"]).decode()
    arguments = {"name": photo["name"], "mimeType": photo["mimeType"], "data": data}
    return await page.evaluate_handle(TRANSFER, arguments)


async def drop(page: Page, photo: FilePayload) -> None:
    """Drop a photo on the channel, as from a file manager."""
    carried = {"dataTransfer": await transfer(page, photo)}
    await page.get_by_role("main").dispatch_event("dragover", carried)
    await page.get_by_role("main").dispatch_event("drop", carried)


def message_box(page: Page) -> Locator:
    """Return where a member writes in a server's channel."""
    return page.get_by_role("textbox", name="Message #")


def offered(page: Page) -> Locator:
    """Return the entries of the pop-up list that is open."""
    return page.get_by_role("listbox").get_by_role("option")


def last_message(page: Page) -> Locator:
    """Return the newest message, or the notice in its place."""
    return page.get_by_role("article").last


async def say(page: Page, text: str) -> Locator:
    """Send a message and return it as the page shows it."""
    await message_box(page).fill(text)
    await message_box(page).press("Enter")
    sent = page.get_by_role("article").filter(has_text=text.split("@")[0]).last
    await expect(sent).to_be_visible()
    return sent


async def start_command(page: Page, typed: str) -> Locator:
    """Type the beginning of a command, take the first one offered, return its form."""
    await message_box(page).fill(typed)
    await expect(offered(page)).not_to_have_count(0)
    await message_box(page).press("Enter")
    form = page.locator("form.command")
    await expect(form).to_be_visible()
    return form


async def choose_app(page: Page, message: Locator, command: str) -> None:
    """Run a message command from a message's menu."""
    await message.get_by_role("button", name="More").click()
    await page.get_by_role("menuitem", name="Apps").click()
    await page.get_by_role("menuitem", name=command).click()
