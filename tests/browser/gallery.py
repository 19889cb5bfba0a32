"""The pages of the console, as the gallery in the docs shows them, over the jobs of the shop."""

import re
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.shop import Shop

FOLDER = Path(__file__).parents[2] / "docs" / "gallery"
# Each page is looked at in all of these; the gallery keeps the first and the last.
LOOKS = (("light", 390), ("dark", 390), ("light", 768), ("dark", 768), ("light", 1280), ("dark", 1280))


@dataclass(frozen=True)
class Pictured:
    """A page: `path`, with `{task}` for the id of its job; then the link to follow, if it is behind one."""

    name: str
    title: str
    path: str
    follow: str = ""

    def open(self, page: Page, shop: Shop) -> None:
        path = re.sub(r"\{(.+?)\}", lambda match: shop.jobs[match[1]], self.path)
        response = page.goto(path)
        assert response is not None
        assert response.status == 200, path
        if self.follow:
            page.get_by_role("link", name=re.compile(self.follow)).first.click()
        expect(page.locator("h1")).to_be_visible()


RESEARCH, STOCK, REFUND = "{Read about the lamp supplier}", "{Count shelf 0}", "{Refund order 1042}"
PICTURED = (
    Pictured("overview", "The overview", "/console"),
    Pictured("jobs", "Jobs", "/console/jobs"),
    Pictured("jobs-below", "Jobs found by their words", "/console/jobs?q=supplier&open={Buy ten lamps}"),
    Pictured("job", "A job and its run", f"/console/jobs/{RESEARCH}"),
    Pictured("waiting", "A job that waits for a person", f"/console/jobs/{REFUND}"),
    Pictured("children", "A job with a job below it", "/console/jobs/{Buy ten lamps}"),
    Pictured("plan", "A plan", "/console/jobs/{Plan the tour to Ada}"),
    Pictured("turn", "What a model was sent, and answered", f"/console/jobs/{RESEARCH}/turns/7"),
    Pictured("call", "A failed tool call", f"/console/jobs/{STOCK}", "shelf: count_stock"),
    Pictured("steps", "What each step has used", f"/console/jobs/{RESEARCH}?steps=1#steps"),
    Pictured("fork", "Fork with changes", f"/console/jobs/{RESEARCH}/fork?turn=7"),
    Pictured("diff", "Two jobs, turn by turn", "/console/jobs/{Write to Ada: her lamp is late}/diff/{warm}"),
    Pictured("new", "Start a job", "/console/jobs/new"),
    Pictured("bulk", "Change many jobs", "/console/jobs?action=cancel&status=waiting"),
    Pictured("approvals", "Approvals", "/console/approvals"),
    Pictured("approval", "An approval", "/console/approvals", "refund"),
    Pictured("link", "An approval behind a link", "{link}"),
    Pictured("sessions", "Conversations", "/console/sessions"),
    Pictured("session", "A conversation", "/console/sessions/customer-7?tenant=dev"),
    Pictured("agents", "Agents and tools", "/console/agents"),
    Pictured("versions", "Versions of an agent", "/console/agents/letters/versions"),
    Pictured("messages", "Queue messages", "/console/messages"),
    Pictured("message", "A message", f"/console/messages?job={RESEARCH}", "next step"),
    Pictured("dead-letters", "Undelivered messages", "/console/dead-letters", "next step"),
    Pictured("schedules", "Schedules", "/console/schedules"),
    Pictured("usage", "Usage", "/console/usage"),
    Pictured("budgets", "Budgets", "/console/budgets"),
    Pictured("audit", "The audit log", "/console/audit"),
)
# The README shows the picture of its run.
RUN = next(one for one in PICTURED if one.name == "children")


def picture_of(name: str, width: int) -> Path:
    return FOLDER / f"{name}-{'phone' if width < 500 else 'screen'}.webp"


def index() -> str:
    lines = [
        "# Gallery",
        "",
        "The pages of [the console](../console.md), over the jobs of a small shop: light on a phone, dark on a screen.",
        "A test opens each of them in both schemes and three sizes. `make gallery` takes the pictures anew.",
    ]
    for one in PICTURED:
        phone, screen = picture_of(one.name, 390).name, picture_of(one.name, 1280).name
        lines += ["", f"## {one.title}", "", _image(phone, 195, "phone")]
        lines += [_image(screen, 640, "screen")]
    return "\n".join(lines) + "\n"


def _image(name: str, width: int, text: str) -> str:
    return f'<img src="{name}" width="{width}" alt="{text}">'
