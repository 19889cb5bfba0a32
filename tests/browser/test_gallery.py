"""Every page of the console in both schemes and three sizes; `--gallery` takes the pictures in the docs anew."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.browser_stack import PATIENCE_MS, ROOT
from tests.browser.conftest import log_in
from tests.browser.gallery import FOLDER, LOOKS, PICTURED, RUN, Pictured, index, picture_of
from tests.browser.page_rules import assert_fit
from tests.browser.shop import Shop

pytestmark = [pytest.mark.browser, pytest.mark.long, pytest.mark.node]


@pytest.fixture(scope="module")
def visitor(chromium: Browser, shop: Shop) -> Iterator[Page]:
    context = chromium.new_context(base_url=shop.described["app_url"], timezone_id="UTC")
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    log_in(page, shop)
    shop.fork("Write to Ada: her lamp is late", "warm", {"instructions": "You write to customers warmly."})
    yield page
    context.close()


@pytest.mark.parametrize("pictured", PICTURED, ids=lambda one: one.name)
def test_a_page_fits_and_breaks_no_rule(
    visitor: Page, shop: Shop, pictured: Pictured, axe: str, request: pytest.FixtureRequest
) -> None:
    """Nothing is too wide or hard to read, all has a name, and the policy refuses nothing."""
    shown: list[str] = []
    visitor.on("console", lambda message: shown.append(message.text) if message.type == "error" else None)
    visitor.on("pageerror", lambda error: shown.append(str(error)))
    pictured.open(visitor, shop)
    for scheme, width in LOOKS:
        visitor.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        visitor.set_viewport_size({"width": width, "height": 800})
        if request.config.getoption("--gallery", default=False) and (scheme, width) in (LOOKS[0], LOOKS[-1]):
            take(visitor, picture_of(pictured.name, width))
        assert_fit(visitor, axe)
    if request.config.getoption("--gallery", default=False) and pictured is RUN:
        visitor.emulate_media(color_scheme="light")
        visitor.locator(".zoom").screenshot(path=FOLDER / "run.png")
    assert shown == []


# A picture says nothing of the machine it was taken on.
_WITHOUT_FOLDER = """(folder) => {
  scrollTo(0, 0);
  if (location.hash) document.querySelector(location.hash).scrollIntoView();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) texts.currentNode.data = texts.currentNode.data.replaceAll(`${folder}/`, "");
}"""


def take(page: Page, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    devtools = page.context.new_cdp_session(page)
    page.evaluate(_WITHOUT_FOLDER, str(ROOT))
    answer = devtools.send("Page.captureScreenshot", {"format": "webp", "quality": 70})
    path.write_bytes(base64.b64decode(answer["data"]))


def test_the_gallery_has_a_picture_of_each_page(request: pytest.FixtureRequest) -> None:
    page = FOLDER / "README.md"
    if request.config.getoption("--gallery", default=False):
        page.write_text(index(), encoding="utf-8")
    assert page.read_text(encoding="utf-8") == index()
    wanted = {picture_of(one.name, width).name for one in PICTURED for _, width in LOOKS}
    assert {path.name for path in FOLDER.glob("*.webp")} == wanted
