"""What holds for every page: nothing is too wide, all can be read and has a name, and axe finds no serious fault."""

from pathlib import Path

from playwright.sync_api import Page

PAGE_FAULTS = Path(__file__).with_name("page_faults.js").read_text(encoding="utf-8").partition("\n")[2]
_SERIOUS = """async () => (await axe.run()).violations
  .filter((one) => ["serious", "critical"].includes(one.impact))
  .map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(" ")}`)"""


def assert_fit(page: Page, axe: str) -> None:
    """Check the page as it is now; `axe`: the library's source."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), page.url
    faults = page.evaluate(PAGE_FAULTS)
    page.evaluate(axe)
    faults += page.evaluate(_SERIOUS)
    assert faults == [], f"{page.url}: {faults}"
