"""Discord's markdown as the page renders it: what it means, and that it stays harmless."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tools.sandbox import Sandbox

pytestmark = pytest.mark.asyncio(loop_scope="session")

LINK = 'target="_blank" rel="noopener noreferrer"'
RENDER = """async (text) => {
    const { markdown } = await import("/page/markdown.js");
    const box = document.createElement("div");
    box.append(markdown(text));
    return box.innerHTML;
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def renderer(browser: Browser, sandbox: Sandbox) -> AsyncIterator[Page]:
    """Open a page that only lends its modules."""
    page = await browser.new_page()
    await page.goto(sandbox.page_url)
    yield page
    await page.close()


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("**bold** *it* _it_", "<strong>bold</strong> <em>it</em> <em>it</em>"),
        ("__under__ ~~gone~~", "<u>under</u> <s>gone</s>"),
        (
            "***both*** **a *b* c**",
            "<strong><em>both</em></strong> <strong>a <em>b</em> c</strong>",
        ),
        (r"snake_case_name 2 * 3 * 4 \*no\* \_", "snake_case_name 2 * 3 * 4 *no* _"),
        ("`a *b*`", "<code>a *b*</code>"),
        ("```py\nx = '<b>'\n```", "<pre><code data-language=\"py\">x = '&lt;b&gt;'</code></pre>"),
        ("# One\ntext", '<h3 class="heading-1">One</h3>text'),
        ("-# small", '<small class="subtext">small</small>'),
        ("> *quoted*", "<blockquote><em>quoted</em></blockquote>"),
        ("- a\n  - b\n- c", "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>"),
        ("3. a\n4. b\n- c", '<ol start="3"><li>a</li><li>b</li></ol><ul><li>c</li></ul>'),
        ("[*x*](https://a.b/c_(d))", f'<a href="https://a.b/c_(d)" {LINK}><em>x</em></a>'),
        ("https://a.b/x_y_z.", f'<a href="https://a.b/x_y_z" {LINK}>https://a.b/x_y_z</a>.'),
        ("</identify:12>", '<span class="mention">/identify</span>'),
        ("<#1> <:tit:22>", '<span class="mention">#unknown</span> :tit:'),
    ],
)
async def test_marks_mean_what_they_mean_in_discord(renderer: Page, text: str, html: str) -> None:
    assert await renderer.evaluate(RENDER, text) == html


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1)) <javascript:alert(1)>",
        "[x](data:text/html,<script>alert(1)</script>)",
        '[<img src=x>](https://a.b/"onmouseover=alert(1))',
        "<t:9999999999999:R> <t:99999999999999999999:F>",
        "<@1><img src=x>",
    ],
)
async def test_text_never_becomes_markup_of_its_own(renderer: Page, text: str) -> None:
    html = await renderer.evaluate(RENDER, text)
    found = await renderer.evaluate(
        """(html) => {
            const box = new DOMParser().parseFromString(html, "text/html").body;
            const all = [...box.querySelectorAll("*")];
            const attributes = all.flatMap((node) => node.getAttributeNames());
            const handlers = attributes.filter((name) => name.startsWith("on"));
            const links = [...box.querySelectorAll("a")].map((a) => a.protocol);
            return [all.map((node) => node.localName), handlers, links];
        }""",
        html,
    )
    assert set(found[0]) <= {"a", "span"}
    assert found[1] == []
    assert set(found[2]) <= {"http:", "https:"}


@pytest.mark.parametrize(
    "unit",
    ["*", "_", "**a", "||", "> ", "`", "```", "[a", "[a](", "[x]((a", "(a)", "- ", "https://"],
)
async def test_endless_repetition_is_rendered_whole_and_at_once(renderer: Page, unit: str) -> None:
    text = unit * (8000 // len(unit)) + "end"
    assert "end" in await renderer.evaluate(RENDER, text)
