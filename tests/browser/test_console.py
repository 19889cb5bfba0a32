"""The console in a real browser: what an operator does in a day."""

import json

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.browser_stack import PATIENCE_MS, BrowserStack
from tests.browser.conftest import log_in, start_job
from tests.browser.page_rules import PAGE_FAULTS, assert_fit

pytestmark = [pytest.mark.browser, pytest.mark.node]

expect.set_options(timeout=PATIENCE_MS)


def test_a_job_is_started_watched_approved_with_an_edit_and_seen_to_finish(page: Page) -> None:
    """The job's page changes by itself, from its first event to its approval, and on to its end."""
    job = start_job(page, "harbour", "Write to the keeper")
    expect(page.locator("#waterfall")).to_contain_text("measure")
    expect(page.locator("#waterfall")).to_contain_text("100% step 2")
    page.get_by_role("link", name="Edit or comment").click()
    expect(page.locator("main")).to_contain_text("harbour wants to run send_letter: to the keeper, pages 2")
    assert page.evaluate(PAGE_FAULTS) == []
    page.get_by_label("Comment").fill("shorter, please")
    page.get_by_role("button", name="Edit as JSON").click()
    page.locator("#arguments").fill('{"to": "the keeper", "pages": "many"}')
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("#fault-arguments")).to_contain_text("pages")
    expect(page.get_by_label("Comment")).to_have_value("shorter, please")
    page.locator("#arguments").fill('{"to": "the harbour master", "pages": 2}')
    page.get_by_role("button", name="Edit field by field").click()
    page.get_by_label("pages", exact=True).fill("1")
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("ins")).to_have_text(["the harbour master", "1"])
    assert page.evaluate(PAGE_FAULTS) == []
    page.get_by_role("button", name="Approve this edit").click()
    expect(page.get_by_role("status")).to_have_text("Approved.")
    page.goto(job)
    expect(page.locator("#head .pill")).to_have_text("completed")
    expect(page.locator("#facts")).to_contain_text("The letter is under way.")
    page.get_by_role("link", name="send_letter").click()
    expect(page.locator("#piece")).to_contain_text("1 pages to the harbour master")
    assert page.evaluate(PAGE_FAULTS) == []


@pytest.mark.long
def test_a_tools_question_is_answered_by_its_form(page: Page, axe: str) -> None:
    """What is missing is named; what is typed is the answer, without another step."""
    job = start_job(page, "keeper", "Sew a shirt")
    page.get_by_role("link", name="Answer or decline").click()
    expect(page.locator("main")).to_contain_text("keeper asks: Which shirt?")
    assert_fit(page, axe)
    page.get_by_role("button", name="Send the answer").click()
    expect(page.locator(".fault")).to_contain_text("'size' is a required property")
    page.get_by_label("size").select_option("L")
    page.get_by_label("count").fill("3")
    page.get_by_label("gift").select_option("true")
    page.get_by_role("button", name="Send the answer").click()
    expect(page.get_by_role("status")).to_have_text("Answered.")
    page.goto(job)
    expect(page.locator("#head .pill")).to_have_text("completed")
    page.locator("#waterfall").get_by_role("link", name="sew", exact=True).click()
    expect(page.locator("#piece")).to_contain_text("'size': 'L'")


def test_a_dead_message_is_replayed_and_its_job_finishes(page: Page, stack: BrowserStack) -> None:
    """Found among the dead letters; a second replay says that it was applied already."""
    stack.strike("/workers/agent-loop", "/workers/delivery-failed")
    job = start_job(page, "answers", "Is all well?")
    job_id = job.rpartition("/")[2]
    failed = f"/console/messages?job={job_id}&state=FAILED"
    page.goto(failed)
    for _ in range(50):
        if page.get_by_role("link", name="next step").count():
            break
        page.wait_for_timeout(200)
        page.reload()
    stack.strike()
    page.goto("/console/dead-letters")
    page.get_by_role("link", name="next step").first.click()
    page.locator("#letters tr", has_text=job_id).get_by_role("link").first.click()
    expect(page.locator("main")).to_contain_text("Its step is still to be done")
    assert page.evaluate(PAGE_FAULTS) == []
    dead = page.url
    page.get_by_role("button", name="Send again").click()
    expect(page.get_by_role("status")).to_contain_text("1 sent again")
    page.goto(job)
    expect(page.locator("#head .pill")).to_have_text("completed")
    expect(page.locator("#facts")).to_contain_text("All is well at the lighthouse.")
    page.goto(dead)
    expect(page.locator("main")).to_contain_text("Applied already.")


def test_a_button_that_had_the_focus_hands_it_to_no_other(page: Page, stack: BrowserStack) -> None:
    """A job ends while somebody is about to cancel it, or to name the person whose data it is."""
    job_id = stack.submit("harbour", "Write to the keeper", subjectId="anna")
    page.goto(f"/console/jobs/{job_id}")
    page.get_by_role("link", name="Edit or comment").wait_for()
    page.get_by_text("Erase the person").click()
    page.get_by_label("Their subjectId").fill("anna")
    page.get_by_text("Cancel job").focus()
    stack.approve_all(job_id)
    expect(page.get_by_role("button", name="Run again")).to_be_visible()
    assert page.evaluate("document.activeElement.tagName") == "BODY"
    expect(page.get_by_label("Their subjectId")).to_have_value("anna")
    expect(page.get_by_role("button", name="Delete its data for good")).to_be_hidden()


def test_it_works_without_javascript(chromium: Browser, stack: BrowserStack) -> None:
    """A running job's page loads itself anew instead of changing in place."""
    context = chromium.new_context(base_url=stack.described["app_url"], java_script_enabled=False)
    page = context.new_page()
    log_in(page, stack)
    start_job(page, "answers", "Without a script?")
    expect(page.locator("#head .pill")).to_have_text("completed")
    page.get_by_role("link", name="turn 1").click()
    expect(page.locator("h1")).to_have_text("Turn 1 of answers")
    context.close()


def test_the_keyboard_is_enough(page: Page) -> None:
    """The first key leads past the head; what has the focus is seen."""
    page.goto("/console/jobs")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"


@pytest.mark.long
def test_a_list_that_is_not_kept_up_to_date_says_so(page: Page, context: BrowserContext, stack: BrowserStack) -> None:
    """As when the login has ended; until it hears from the server again."""
    stack.submit("answers", "Is all well?")
    page.goto("/console/jobs")
    kept = context.cookies()
    context.clear_cookies()
    expect(page.locator("#stale")).to_contain_text("your login has ended")
    context.add_cookies(kept)  # type: ignore[arg-type]
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#stale")).to_have_count(0)


def test_a_watched_job_survives_a_restart_of_the_app(page: Page, stack: BrowserStack) -> None:
    """The page goes on by itself where it was, without loading anew and without a row twice."""
    job = start_job(page, "harbour", "Watch me")
    expect(page.get_by_role("link", name="Edit or comment")).to_be_visible()
    rows = page.locator("#waterfall li").count()
    stack.wait_until_back("app", stack.kill("app"))
    stack.approve_all(job.rpartition("/")[2])
    expect(page.locator("#head .pill")).to_have_text("completed")
    expect(page.locator("#waterfall")).to_contain_text("The letter is under way.")
    links = page.eval_on_selector_all("#waterfall .r-call a", "links => links.map((link) => link.href)")
    assert len(links) == len(set(links)) == 2
    assert page.locator("#waterfall li").count() > rows


@pytest.mark.long
def test_a_run_is_drawn_while_it_runs_and_opens_with_a_click(
    page: Page, context: BrowserContext, stack: BrowserStack, axe: str
) -> None:
    """From its first bar to its last, without loading anew; keys zoom it, and lead from row to row."""
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    job = start_job(page, "harbour", "Draw it")
    rows = page.locator("#waterfall li")
    expect(rows.filter(has_text="send_letter").locator(".b-wait")).to_have_count(1)
    assert_fit(page, axe)
    page.locator("[data-zoom]").focus()
    width = page.locator(".waterfall").bounding_box()
    page.keyboard.press("+")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    zoomed = page.locator(".waterfall").bounding_box()
    assert width is not None
    assert zoomed is not None
    assert zoomed["width"] == pytest.approx(2 * width["width"], abs=2)
    expect(page.get_by_role("link", name="turn 1")).to_be_focused()
    page.set_viewport_size({"width": 390, "height": 300})
    page.get_by_role("link", name="turn 1").click()
    page.wait_for_timeout(3500)  # until the picture has been drawn anew
    expect(page.locator("#piece h2").first).to_be_in_viewport()
    stack.approve_all(job.rpartition("/")[2])
    expect(rows.filter(has_text="turn 3")).to_have_count(1)
    expect(page.locator("#head .pill")).to_have_text("completed")
    page.locator("#waterfall").get_by_role("link", name="turn 2").click()
    expect(page.locator("main")).to_contain_text("and the same as what was sent")
    assert_fit(page, axe)
    expect(page).to_have_url(job)  # the piece is beside the picture
    piece = page.locator("#piece")
    piece.locator(".calls summary").first.click()
    piece.get_by_role("link", name="arguments and result").click()
    expect(page.locator("h1")).to_contain_text("send_letter")
    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert json.loads(page.evaluate("navigator.clipboard.readText()")) == {"to": "the keeper", "pages": 2}
    assert_fit(page, axe)


@pytest.mark.long
def test_the_list_keeps_up_and_a_filter_is_kept(page: Page, stack: BrowserStack) -> None:
    """A job appears and ends while the list is open, and whoever types is left alone; a kept filter leads back."""
    page.goto("/console/jobs?q=lantern")
    expect(page.locator("main")).to_contain_text("No job matches")
    stack.submit("answers", "Trim the first lantern")
    page.reload()
    first = page.get_by_role("row").filter(has_text="first lantern")
    expect(first.locator(".pill")).to_have_text("completed")
    page.get_by_text("More filters").click()
    page.get_by_label("Tags").focus()
    stack.submit("answers", "Trim the second lantern")
    second = page.get_by_role("row").filter(has_text="second lantern")
    expect(second.locator(".pill")).to_have_text("completed")
    expect(page.locator("#news")).to_contain_text("new")
    expect(page.get_by_label("Tags")).to_be_focused()
    page.get_by_label("Name of this filter").fill("lanterns")
    page.get_by_role("button", name="Save this filter").click()
    page.goto("/console/jobs")
    page.get_by_role("link", name="lanterns").click()
    expect(page.get_by_role("row").filter(has_text="lantern")).to_have_count(2)
    page.get_by_role("button", name="Forget filter lanterns").click()
    expect(page.get_by_role("link", name="lanterns")).to_have_count(0)


def test_what_is_long_breaks_out_of_no_page_of_a_phone(page: Page, stack: BrowserStack) -> None:
    long, session = "x" * 300, "s" * 190
    job_id = stack.submit("falling", long, sessionId=session, tags=["t" * 50])
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"/console/jobs/{job_id}")
    expect(page.locator("#head .pill")).to_have_text("failed")
    for path in (
        "jobs",
        f"jobs?status=failed&q={long}",
        f"jobs?action=cancel&sessionId={session}",
        "",
        f"jobs/{job_id}",
    ):
        page.goto(f"/console/{path}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


@pytest.mark.long
def test_a_conversation_goes_on_while_it_is_read(page: Page, stack: BrowserStack, axe: str) -> None:
    """Its messages come by themselves, with the approval that one waits for, and each leads to its job."""
    stack.submit("answers", "Is the lamp lit?", sessionId="talk")
    page.goto("/console/sessions")
    page.get_by_role("link", name="Is the lamp lit?").click()
    stack.submit("harbour", "Write to the keeper", sessionId="talk")
    said = page.locator(".chat > li")
    expect(said.first).to_contain_text("All is well at the lighthouse.")
    expect(page.locator("#news")).to_contain_text("new")
    expect(said.nth(1).get_by_role("link", name="approval, pending")).to_be_visible()
    assert_fit(page, axe)
    said.nth(1).get_by_role("link", name="harbour", exact=True).click()
    expect(page.locator("h1")).to_contain_text("harbour")
    page.get_by_role("link", name="talk").click()
    expect(said).to_have_count(2)
