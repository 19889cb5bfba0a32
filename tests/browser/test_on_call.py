"""What a person on call asks is answered in at most three clicks, as the page says (on_call.py), also on a phone."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.browser_stack import PATIENCE_MS
from tests.browser.conftest import log_in
from tests.browser.on_call import Task, tasks
from tests.browser.shop import Shop

pytestmark = [pytest.mark.browser, pytest.mark.long]
MOST_CLICKS = 3


@pytest.fixture(scope="module")
def desk(chromium: Browser, shop: Shop) -> Iterator[Page]:
    context = chromium.new_context(base_url=shop.described["app_url"])
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    log_in(page, shop)
    yield page
    context.close()


@pytest.mark.parametrize("task", tasks(), ids=lambda task: task.question)
# The steps change what is there, so each width has a shop of its own.
@pytest.mark.parametrize(("shop", "width"), [(390, 390), (1280, 1280)], indirect=["shop"], scope="module")
def test_a_question_is_answered_in_three_clicks(desk: Page, task: Task, width: int) -> None:
    """From the first page on; what the answer is made of stands on the last one."""
    desk.set_viewport_size({"width": width, "height": 844})
    desk.goto("/console")
    assert 1 <= sum(step.do(desk) for step in task.steps) <= MOST_CLICKS
    assert task.shown
    for text in task.shown:
        expect(desk.locator("main")).to_contain_text(text)


def test_there_are_ten_questions() -> None:
    assert len(tasks()) >= 10
