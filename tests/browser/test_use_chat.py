"""AI SDK's `useChat`, versions 6 and 7, in a real browser: approvals in its own form, which the chat's user decides."""

import subprocess
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.browser_stack import BrowserStack
from tests.npm_packages import find_node, npm_packages

pytestmark = [pytest.mark.browser, pytest.mark.node, pytest.mark.long]
SOURCE = Path(__file__).parent / "use_chat"


def bundle(version: str, folder: Path) -> str:
    """The page of that version as one script."""
    packages = npm_packages(SOURCE, "use-chat")
    source = packages / f"page-{version}-{folder.name}.mjs"
    source.write_text((SOURCE / "page.mjs").read_text().replace("VERSION", version))
    made = folder / "page.js"
    command = [find_node()[0], "node_modules/esbuild/bin/esbuild", source.name, "--bundle", "--format=esm"]
    options = ["--minify", '--define:process.env.NODE_ENV="production"', f"--outfile={made}"]
    try:
        subprocess.run([*command, *options], cwd=packages, check=True, capture_output=True, timeout=120)
    finally:
        source.unlink()
    return made.read_text(encoding="utf-8")


def opened(page: Page, stack: BrowserStack, chat: str) -> None:
    fields = {"key": stack.described["client_key"], "id": chat, "agent": "payer"}
    page.goto(f"/use-chat#{urlencode(fields)}")
    page.get_by_label("Text").wait_for()


def ask(page: Page, text: str) -> None:
    page.get_by_label("Text").fill(text)
    page.get_by_label("Text").press("Enter")
    expect(page.locator(".call").last).to_contain_text("tool-pay approval-requested")


@pytest.mark.parametrize("version", ["6", "7"])
def test_the_user_decides_and_the_answer_goes_on(
    context: BrowserContext, stack: BrowserStack, version: str, tmp_path: Path
) -> None:
    """With one request each, also after a reload in between; the session then shows what the client had."""
    script = bundle(version, tmp_path)
    markup = "<!doctype html><title>useChat</title><body></body><script type=module src=/use-chat.js></script>"
    context.route("**/use-chat", lambda route: route.fulfill(body=markup, content_type="text/html"))
    context.route("**/use-chat.js", lambda route: route.fulfill(body=script, content_type="text/javascript"))
    page, chat = context.new_page(), f"use-chat-{version}"
    opened(page, stack, chat)
    calls, answers = page.locator(".call"), page.locator(".assistant span")
    ask(page, "pay")
    page.get_by_role("button", name="Approve").click()
    expect(calls).to_have_text(['tool-pay output-available "paid 7"'])
    expect(answers).to_have_text(["The bill is settled."])
    expect(page.locator("output")).to_have_text("ready")
    ask(page, "pay again")
    page.reload()
    expect(calls.last).to_contain_text("tool-pay approval-requested")
    page.get_by_role("button", name="Deny").click()
    expect(calls.last).to_have_text("tool-pay output-denied")
    expect(answers).to_have_text(["The bill is settled."] * 2)
    expect(page.locator("output")).to_have_text("ready")
    shown = page.locator("ol").inner_text()
    page.reload()
    expect(answers).to_have_count(2)
    assert page.locator("ol").inner_text() == shown
