"""Local stacks and a real headless Chromium; neither survives the tests."""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.browser_stack import PATIENCE_MS, BrowserStack
from tests.browser.shop import Shop
from tests.left_out import BROWSERS, find_browser
from tests.npm_packages import npm_packages

_Stack = TypeVar("_Stack", bound=BrowserStack)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `make gallery` take the pictures in the docs."""
    parser.addoption("--gallery", action="store_true", help="take the pictures of docs/gallery anew")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserStack]:
    yield from _running(BrowserStack(tmp_path_factory.mktemp("browser") / "data"))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    for made in _running(Shop(tmp_path_factory.mktemp("shop") / "data")):
        made.open()
        yield made


def _running(made: _Stack) -> Iterator[_Stack]:
    try:
        made.start()
        yield made
    finally:
        if made.process is not None and made.process.poll() is None:
            made.stop()
        made.kill_all()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The browser; without one the tests fail. While it lives an event loop runs in this thread: never for others."""
    program = find_browser()
    if program is None:
        pytest.fail(f"none of {', '.join(BROWSERS)} is on the path: apt-get install chromium (.ci/run does it)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def axe() -> str:
    packages = npm_packages(Path(__file__).parent, "axe")
    return (packages / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture
def context(chromium: Browser, stack: BrowserStack) -> Iterator[BrowserContext]:
    made = chromium.new_context(base_url=stack.described["app_url"])
    made.set_default_timeout(PATIENCE_MS)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext, stack: BrowserStack) -> Page:
    made = context.new_page()
    log_in(made, stack)
    return made


def log_in(page: Page, stack: BrowserStack) -> None:
    page.goto("/console")
    page.get_by_label("Admin key").fill(stack.described["admin_key"])
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="Overview").wait_for()


def start_job(page: Page, agent: str, task: str) -> str:
    page.goto("/console/jobs/new")
    page.get_by_label("Agent").select_option(agent)
    page.get_by_label("Task").fill(task)
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_text("The job is accepted.").wait_for()
    return page.url
