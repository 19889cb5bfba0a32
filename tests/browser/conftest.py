"""A local stack and a real headless Chromium; neither survives the tests."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.e2e.dev_stack import DevStack, wait_for
from tests.left_out import BROWSERS, find_browser

ROOT = Path(__file__).parents[2]
PATIENCE_MS = 20_000
# A message dies after its first retry, at once; what a fault plan strikes is not there for long.
SETTINGS = {"MESSAGE_RETRIES": "1", "MESSAGE_RETRY_DELAY_MS": "100", "MAX_CONCURRENT_JOBS": "5"}


class BrowserStack(DevStack):
    """A stack whose queue takes fault plans."""

    def launch(self) -> subprocess.Popen[bytes]:
        """Start it without waiting."""
        with self.output_path.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.browser.browser_dev", str(self.folder)],
                stdout=output,
                stderr=output,
                cwd=ROOT,
                env={**os.environ, **SETTINGS},  # noqa: TID251 - the stack inherits this process's
            )
        return self.process

    def strike(self, *endpoints: str) -> None:
        """From now on deliveries to these endpoints are answered with 503; none: no more."""
        url, headers = f"{self.described['qstash_url']}/admin/faults", self._headers()
        httpx.delete(url, headers=headers).raise_for_status()
        rules = [
            {"fault": "answer", "status": 503, "count": 1000, "url": f"{self.described['app_url']}{endpoint}"}
            for endpoint in endpoints
        ]
        httpx.post(url, headers=headers, json={"rules": rules}).raise_for_status()

    def approve_all(self, job_id: str) -> None:
        """Approve what a job asks, once the app answers."""
        url, headers = self.described["app_url"], {"authorization": f"Bearer {self.described['admin_key']}"}
        wait_for(lambda: _is_up(url), "an answer of the app")
        found = httpx.get(f"{url}/api/agent-jobs/{job_id}/checkpoints", headers=headers).raise_for_status().json()
        for requested in found["checkpoints"]:
            if requested["status"] == "pending":
                path = f"{url}/api/admin/agent-checkpoints/{requested['id']}"
                httpx.post(path, headers=headers).raise_for_status()

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.described['qstash_token']}"}


def _is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").is_success
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserStack]:
    """The stack, one for all tests."""
    made = BrowserStack(tmp_path_factory.mktemp("browser") / "data")
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


@pytest.fixture
def context(chromium: Browser, stack: BrowserStack) -> Iterator[BrowserContext]:
    """A browser without cookies."""
    made = chromium.new_context(base_url=stack.described["app_url"])
    made.set_default_timeout(PATIENCE_MS)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext, stack: BrowserStack) -> Page:
    """A page of an operator who is logged in."""
    made = context.new_page()
    log_in(made, stack)
    return made


def log_in(page: Page, stack: BrowserStack) -> None:
    """As an operator does it."""
    page.goto("/console")
    page.get_by_label("Admin key").fill(stack.described["admin_key"])
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="Jobs").wait_for()


def start_job(page: Page, agent: str, task: str) -> str:
    """Start a job by its form; its address."""
    page.goto("/console/jobs/new")
    page.get_by_label("Agent").select_option(agent)
    page.get_by_label("Task").fill(task)
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_text("The job is accepted.").wait_for()
    return page.url
