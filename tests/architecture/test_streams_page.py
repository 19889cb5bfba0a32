"""The page on streams lists each kind of part that the code makes, and no other."""

import re

from tests.architecture.source_files import ROOT

MAKERS = (
    "functions/baton/engine/stream_parts.py",
    "functions/baton/engine/waits.py",
    "functions/baton/executors/tool_context.py",
)
KIND_IN_CODE = re.compile(r'"type": ?"([a-z]+-[a-z-]+|start|abort|error|finish)"')


def test_the_page_lists_every_part() -> None:
    made = {kind for name in MAKERS for kind in KIND_IN_CODE.findall((ROOT / name).read_text())}
    page = (ROOT / "docs" / "streams.md").read_text()
    rows = [line.split("|")[1] for line in page.partition("## The parts")[2].splitlines() if line.startswith("| `")]
    assert {kind for row in rows for kind in re.findall(r"`([a-z-]+)`", row)} == made
    assert len(made) > 20
