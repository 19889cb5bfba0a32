"""The chat page in a real browser: somebody talks with an agent, who asks before it writes to others."""

import base64
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.browser.browser_stack import BrowserStack

pytestmark = pytest.mark.browser
DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def opened(context: BrowserContext, key: str) -> Page:
    page = context.new_page()
    page.goto("/chat")
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("Message").wait_for()
    return page


def request(page: Page, text: str, agent: str) -> None:
    page.get_by_label("Agent").select_option(agent)
    page.get_by_label("Message").fill(text)
    page.get_by_label("Message").press("Enter")


def test_a_chat_shows_calls_survives_a_reload_and_goes_on_after_an_approval(
    context: BrowserContext, stack: BrowserStack
) -> None:
    """Reloaded in the middle of the answer, it shows all of it, once."""
    page = opened(context, stack.described["admin_key"])
    request(page, "Write to the keeper", "harbour")
    expect(page.locator(".checkpoint.pending")).to_contain_text("the keeper")
    expect(page.locator(".call")).to_have_count(2)
    page.reload()
    expect(page.locator(".message.user")).to_have_text("You:Write to the keeper")
    expect(page.locator(".call")).to_have_count(2)
    page.get_by_role("button", name="Approve").click()
    expect(page.locator(".message.assistant .text")).to_have_text("The letter is under way.")
    expect(page.locator(".checkpoint.approved")).to_have_count(1)
    page.reload()
    expect(page.locator(".message.assistant .text")).to_have_text("The letter is under way.")
    expect(page.locator(".message")).to_have_count(2)


def test_an_answer_is_shown_in_its_order_and_its_error_in_sight(context: BrowserContext, stack: BrowserStack) -> None:
    """However long the text is, and beside the form that covers the bottom of the window."""
    page = opened(context, stack.described["client_key"])
    request(page, "How far is it?", "falling")
    error = page.locator(".message.assistant .bad")
    expect(error).to_have_text(re.compile(r"^The answer could not be completed\. \(job_\w+\)$"))
    kinds = page.locator(".message.assistant > :is(.text, .call, .bad)")
    assert kinds.evaluate_all("found => found.map(each => each.classList[0])") == ["text", "call", "state"]
    seen = error.bounding_box()
    form = page.locator("#ask").bounding_box()
    assert seen is not None
    assert form is not None
    assert seen["y"] + seen["height"] <= form["y"]


@pytest.mark.long
def test_a_typed_answer_is_a_table(context: BrowserContext, stack: BrowserStack) -> None:
    page = opened(context, stack.described["client_key"])
    request(page, "What did I order?", "order")
    expect(page.get_by_role("row", name="total 310")).to_be_visible()
    expect(page.get_by_role("row", name="lens 1", exact=True)).to_be_visible()


@pytest.mark.long
def test_an_image_is_sent_and_shown_also_after_a_reload(context: BrowserContext, stack: BrowserStack) -> None:
    page = opened(context, stack.described["client_key"])
    page.get_by_label("Files").set_input_files({"name": "dot.png", "mimeType": "image/png", "buffer": DOT})
    request(page, "What is it?", "sees")
    for _ in range(2):
        expect(page.locator(".message.assistant .text")).to_have_text("It is a lighthouse.")
        expect(page.get_by_alt_text("dot.png")).to_have_js_property("naturalWidth", 1)
        page.reload()


@pytest.mark.long
def test_stop_ends_the_answer_and_a_rejection_says_why(context: BrowserContext, stack: BrowserStack) -> None:
    page = opened(context, stack.described["admin_key"])
    request(page, "Write to the keeper", "harbour")
    page.locator(".checkpoint.pending").wait_for()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".message.assistant").last).to_contain_text("Stopped.")
    request(page, "Write to the keeper again", "harbour")
    page.get_by_label("Reason for a rejection").fill("not today")
    page.get_by_role("button", name="Reject").click()
    expect(page.locator(".checkpoint.rejected")).to_contain_text("not today")
    expect(page.locator(".message.assistant .text")).to_have_text("The letter is under way.")


@pytest.mark.long
def test_a_chat_goes_on_while_a_call_waits_and_shows_what_comes_of_it(
    context: BrowserContext, stack: BrowserStack
) -> None:
    """The approval stands above the input; what comes of it is shown by itself, also after a reload."""
    page = opened(context, stack.described["admin_key"])
    request(page, "Light the lamp", "keeper")
    expect(page.locator(".message.assistant .text")).to_have_text("Somebody has to allow it.")
    expect(page.locator("#asks .checkpoint.pending")).to_have_count(1)
    request(page, "Is all well?", "keeper")
    expect(page.locator(".message.assistant .text").last).to_have_text("Is all well?")
    page.reload()
    expect(page.locator("#asks .checkpoint.pending")).to_have_count(1)
    page.get_by_role("button", name="Approve").click()
    expect(page.locator(".message.assistant .text").last).to_contain_text("it burns")
    expect(page.locator(".operation")).to_have_count(0)
    expect(page.locator(".message .checkpoint.approved")).to_have_count(1)  # what was decided stays
    expect(page.locator(".message")).to_have_count(5)
    request(page, "Light the lamp again", "keeper")
    page.locator(".operation").get_by_role("button", name="Cancel").click()
    expect(page.locator(".operation")).to_have_count(0)


def test_the_user_decides_what_is_theirs_above_the_input(context: BrowserContext, stack: BrowserStack) -> None:
    """With a client key; a second page of the same chat shows all of it by itself."""
    page = opened(context, stack.described["client_key"])
    other = opened(context, stack.described["client_key"])
    for verb, word in (("Approve", "pay done"), ("Reject", "pay denied")):
        request(page, "Pay the bill", "payer")
        card = page.locator("#asks .checkpoint")
        expect(card).to_contain_text("Pay the bill?")
        if verb == "Approve":
            other.goto(page.url)  # a session begins with its first message
        expect(other.locator("#asks .checkpoint")).to_contain_text("Pay the bill?")
        form, asked = page.locator("#ask").bounding_box(), card.bounding_box()
        assert form is not None
        assert asked is not None
        assert asked["y"] + asked["height"] <= form["y"]
        card.get_by_label("Reason for a rejection").fill("not now")
        card.get_by_role("button", name=verb).click()
        for each in (page, other):
            expect(each.locator("#asks .checkpoint")).to_have_count(0)
            expect(each.locator(".call summary").last).to_have_text(word)
            expect(each.locator(".message.assistant .text").last).to_have_text("The bill is settled.")
    expect(other.locator(".message")).to_have_count(4)


@pytest.mark.long
def test_a_tool_asks_a_person_by_a_form(context: BrowserContext, stack: BrowserStack) -> None:
    """Each field by its kind; what a browser finds missing is not sent, and what is typed outlives a message."""
    page = opened(context, stack.described["admin_key"])
    request(page, "Sew a shirt", "keeper")
    form = page.locator("#asks .question")
    expect(form.get_by_label("How many")).to_have_value("2")
    form.get_by_label("Words on it").fill("Ahoy")
    for number, valid in (("9007199254740993", False), ("2", True)):  # which would be sent as another one
        form.get_by_label("How many").fill(number)
        assert form.get_by_label("How many").evaluate("field => field.validity.valid") is valid
    form.get_by_role("button", name="Send the answer").click()
    expect(page.locator("#asks .checkpoint.pending")).to_have_count(1)
    request(page, "Is all well?", "keeper")
    expect(page.locator(".message.assistant .text").last).to_have_text("Is all well?")
    expect(form.get_by_label("Words on it")).to_have_value("Ahoy")
    form.get_by_label("Size").select_option("L")
    form.get_by_label("As a gift").select_option("false")
    form.get_by_role("button", name="Send the answer").click()
    answered = "{'count': 2, 'gift': False, 'size': 'L', 'words': 'Ahoy'}"
    expect(page.locator(".message.assistant .text").last).to_contain_text(answered)
    request(page, "Sew another one", "keeper")
    page.locator("#asks").get_by_role("button", name="Decline").click()
    expect(page.locator(".message.assistant .text").last).to_contain_text("sewn: rejected")


@pytest.mark.long
def test_more_can_be_said_while_an_answer_is_made(context: BrowserContext, stack: BrowserStack) -> None:
    """The running answer goes on with it, or another one takes its place in the conversation."""
    page = opened(context, stack.described["admin_key"])
    request(page, "Write to the keeper", "harbour")
    page.locator(".checkpoint.pending").wait_for()
    with page.expect_response("**/api/chat") as answered:
        request(page, "and be polite", "harbour")
    assert answered.value.status == 202, answered.value.text()
    page.get_by_role("button", name="Approve").click()
    expect(page.locator(".meanwhile")).to_have_text("and be polite")
    expect(page.locator(".message.assistant .text")).to_contain_text("The letter is under way.")
    page.reload()
    expect(page.locator(".meanwhile")).to_have_text("and be polite")
    request(page, "Write to nobody", "harbour")
    page.locator(".checkpoint.pending").wait_for()
    page.get_by_label("While an answer is made").select_option("rollback")
    request(page, "Write to the mayor", "harbour")
    expect(page.locator(".message.user").last).to_have_text("You:Write to the mayor")
    page.locator(".checkpoint.pending").wait_for()
    expect(page.locator(".message.user")).to_have_count(2)
    page.get_by_role("button", name="Stop").click()


def test_the_session_in_the_address_is_the_one_that_is_shown(context: BrowserContext, stack: BrowserStack) -> None:
    """However late another one's messages come; a name that cannot be read is none; also where a page has no https."""
    context.add_init_script("delete Crypto.prototype.randomUUID")
    page = opened(context, stack.described["client_key"])

    def answer(route: Route) -> None:
        of = route.request.url.rpartition("/")[2]
        if of == "slow":
            page.wait_for_timeout(500)
        said = {"id": of, "role": "user", "parts": [{"type": "text", "text": f"said in {of}"}]}
        route.fulfill(json={"messages": [said], "activeStream": None, "queued": []})

    page.route("**/api/sessions/*", answer)
    with page.expect_response("**/api/sessions/slow"):
        page.evaluate("location.hash = 'slow'; setTimeout(() => (location.hash = 'quick'), 100)")
    page.wait_for_timeout(200)
    expect(page.locator(".message.user")).to_have_text("You:said in quick")
    page.unroute("**/api/sessions/*")
    pages = {"": ("third", {"cursor": "c/1"}), "c/1": ("second", {"cursor": "c/2"}), "c/2": ("first", {})}

    def answer_page(route: Route) -> None:
        text, more = pages[parse_qs(urlsplit(route.request.url).query).get("cursor", [""])[0]]
        said = {"id": text, "role": "user", "parts": [{"type": "text", "text": text}]}
        typed = {"id": "a", "role": "assistant", "parts": [{"type": "text", "text": '{"id": 12345678901234567890}'}]}
        route.fulfill(json={"messages": [said, typed], "activeStream": None, "queued": [], **more})

    page.route("**/api/sessions/long*", answer_page)
    page.evaluate("location.hash = 'long'")
    for _ in range(2):
        page.get_by_role("button", name="Earlier messages").click()
    expect(page.locator(".message.user")).to_have_text(["You:first", "You:second", "You:third"])
    expect(page.get_by_role("button", name="Earlier messages")).to_have_count(0)
    expect(page.locator(".message.assistant .text")).to_have_text(['{"id": 12345678901234567890}'] * 3)
    page.goto("/chat#100%")
    page.reload()
    request(page, "Is all well?", "answers")
    expect(page.locator(".message.assistant .text")).to_have_text("All is well at the lighthouse.")


def test_a_wrong_key_and_a_wrong_agent_are_reported(context: BrowserContext, stack: BrowserStack) -> None:
    page = context.new_page()
    page.goto("/chat")
    page.get_by_label("API key").fill("bk_client_wrong")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("alert")).to_have_text("This key is not known.")
    page.get_by_label("API key").fill(stack.described["client_key"])
    page.get_by_role("button", name="Go on").click()
    page.locator("#agent").evaluate("list => list.append(new Option('nobody'))")  # as one that a deploy took away
    request(page, "Is all well?", "nobody")
    expect(page.get_by_role("alert")).to_contain_text("unknown agent 'nobody'")
    expect(page.get_by_label("Message")).to_have_value("Is all well?")


@pytest.mark.parametrize(("scheme", "width"), [("light", 320), pytest.param("dark", 1280, marks=pytest.mark.long)])
def test_the_page_fits_and_breaks_no_rule(chromium: Browser, stack: BrowserStack, scheme: str, width: int) -> None:
    """Nothing is wider than the window, nothing is refused by the policy."""
    context = chromium.new_context(
        base_url=stack.described["app_url"],
        color_scheme="dark" if scheme == "dark" else "light",
        viewport={"width": width, "height": 700},
    )
    shown: list[str] = []
    context.on("console", lambda message: shown.append(message.text) if message.type == "error" else None)
    page = opened(context, stack.described["client_key"])
    request(page, "Is all well? " + "word" * 60, "answers")
    expect(page.locator(".message.assistant .text")).to_have_text("All is well at the lighthouse.")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # Of a chat that is new the API says that it knows no such session, which the browser tells its console.
    assert [line for line in shown if "404" not in line] == []
    context.close()


MARKDOWN = """# Title

One **bold** *word* and `code`, [a link](https://x.example/a?b=c), [no link](javascript:alert(1)).

1. one
2. two
   - inner

| a | b |
| - | - |
| 1 | <b>2</b> |

```
<script>fetch("/evil")</script>
```

![picture](https://evil.example/p.png) <img src=x onerror=alert(1)>

<script>alert(1)</script>
"""


def test_an_answer_in_markdown_is_elements_and_nothing_of_it_is_markup(page: Page) -> None:
    """Links lead to the web alone, and pictures of others are not asked for."""
    asked = list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/chat")
    markup = page.evaluate(
        """async (text) => {
          const { markdown } = await import("/chat/markdown.js");
          const box = document.createElement("div");
          box.append(...markdown(text));
          document.body.append(box);
          return box.innerHTML;
        }""",
        MARKDOWN,
    )
    for part in ("<h3>Title</h3>", "<strong>bold</strong>", "<em>word</em>", "<code>code</code>", "<th>a</th>"):
        assert part in markup
    assert '<a href="https://x.example/a?b=c" rel="noreferrer noopener">a link</a>' in markup
    assert re.search(r"<ol><li>.*one.*<ul><li>.*inner", markup, re.DOTALL)
    assert not re.search(r"<(script|img|b)\b|javascript:", markup)
    assert "&lt;script&gt;" in markup
    assert not [url for url in asked if "evil" in url]
