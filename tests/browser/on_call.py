"""Read `docs/on-call.md`, and do its steps in a browser."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

PAGE = Path(__file__).parents[2] / "docs" / "on-call.md"
_STEP = re.compile(r"\d+\. (Click|Type `(?P<text>.+)` into|Choose `(?P<choice>.+)` in) \*\*(?P<name>.+)\*\*\.")


@dataclass(frozen=True)
class Step:
    """One line of a task: a click, or `text` into a field, or `choice` in one."""

    name: str
    text: str = ""
    choice: str = ""

    def do(self, page: Page) -> int:
        """Do it; return how many clicks it took: a page of a phone's menu takes one more."""
        if self.text:
            page.get_by_label(self.name).first.fill(self.text)
        elif self.choice:
            page.get_by_label(self.name).first.select_option(self.choice)
        else:
            menu = page.get_by_role("button", name="Menu")
            places = page.locator("#pages").get_by_role("link", name=self.name, exact=True, include_hidden=True)
            if folded := menu.is_visible() and places.count() > 0:
                menu.click()
            named(page, self.name).click()
            return 1 + folded
        return 0


def named(page: Page, name: str) -> Locator:
    """Find a link or button of exactly this name, also one that asks; else one that begins with it; the first."""
    either = page.get_by_role("link", name=name, exact=True).or_(page.get_by_role("button", name=name, exact=True))
    either = either.or_(page.get_by_text(f"{name} …", exact=True))
    expect(either.or_(page.get_by_role("link", name=name)).first).to_be_visible()
    return either.first if either.count() else page.get_by_role("link", name=name).first


@dataclass(frozen=True)
class Task:
    """A question, the steps to its answer, and what the page then says."""

    question: str
    steps: list[Step] = field(default_factory=list[Step])
    shown: list[str] = field(default_factory=list[str])


def tasks() -> list[Task]:
    found: list[Task] = []
    for part in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        question, _, text = part.partition("\n")
        task = Task(question)
        for line in re.findall(r"^\d+\. .*$", text, re.MULTILINE):
            match = _STEP.fullmatch(line)
            assert match, f"{PAGE.name}: no step: {line!r}"
            task.steps.append(Step(match["name"], match["text"] or "", match["choice"] or ""))
        task.shown.extend(re.findall(r"`([^`]+)`", text.rpartition("\n\n1. ")[2].partition("\n\n")[2]))
        found.append(task)
    return found
