"""What a person on call asks is answered in at most four clicks, as the page says (on_call.py)."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.browser_stack import PATIENCE_MS
from tests.browser.conftest import log_in
from tests.browser.on_call import Task, tasks
from tests.browser.shop import Shop

pytestmark = [pytest.mark.browser, pytest.mark.long]
MOST_CLICKS = 4


@pytest.fixture(scope="module")
def desk(chromium: Browser, shop: Shop) -> Iterator[Page]:
    context = chromium.new_context(base_url=shop.described["app_url"])
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    log_in(page, shop)
    yield page
    context.close()


@pytest.mark.parametrize("task", tasks(), ids=lambda task: task.question)
def test_a_question_is_answered_in_four_clicks(desk: Page, task: Task) -> None:
    """From the first page on; what the answer is made of stands on the last one."""
    assert 1 <= sum(step.is_click for step in task.steps) <= MOST_CLICKS
    desk.goto("/console")
    for step in task.steps:
        step.do(desk)
    assert task.shown
    for text in task.shown:
        expect(desk.locator("main")).to_contain_text(text)


def test_there_are_ten_questions() -> None:
    assert len(tasks()) >= 10
