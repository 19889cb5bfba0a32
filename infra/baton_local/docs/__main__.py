"""`python -m baton_local.docs`: writes the generated parts anew; `--check` says which are out of date (exit code 1).

Which page has which generated parts stands here in explicit lines. Invariant: nothing outside of a block's two markers
changes; a page without them, or with two pairs, is an error.
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from baton_local.docs.endpoint_tables import body_tables, endpoint_table, failure_list, problem_table
from baton_local.docs.event_tables import (
    call_diagram,
    command_fields,
    event_fields,
    event_table,
    job_diagram,
    payload_fields,
)
from baton_local.docs.glossary import glossary
from baton_local.docs.pictures import event_path, house
from baton_local.docs.python_reference import baton_names, baton_testing_names, baton_tools_names, client_calls
from baton_local.docs.reference_tables import (
    command_reference,
    differences_table,
    emulated_table,
    env_example,
    job_table,
    limits_table,
    month_table,
    not_emulated_table,
    price_table,
    settings_table,
)


class MarkerError(ValueError):
    """A page's markers are missing or doubled."""


def replace_block(page: str, name: str, content: str) -> str:
    begin, end = f"<!-- generated: {name} -->", f"<!-- end: {name} -->"
    if page.count(begin) != 1 or page.count(end) != 1 or page.index(begin) > page.index(end):
        raise MarkerError(f"the page needs {begin!r} and, after it, {end!r}, each exactly once")
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n\n{content}\n\n{end}{after}"


ROOT = Path(__file__).resolve().parents[3]

BLOCKS: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "docs/reference/cli.md": {"commands": command_reference},
    "docs/reference/python.md": {
        "baton": baton_names,
        "baton-tools": baton_tools_names,
        "baton-testing": baton_testing_names,
    },
    "docs/clients.md": {"client-calls": client_calls},
    "docs/reference/http.md": {
        "endpoints": endpoint_table,
        "problems": problem_table,
        "failures": failure_list,
        "bodies": body_tables,
    },
    "docs/reference/events.md": {
        "events": event_table,
        "fields": event_fields,
        "payloads": payload_fields,
        "commands": command_fields,
    },
    "docs/reference/settings.md": {"settings": settings_table},
    "docs/reference/limits.md": {"limits": limits_table},
    "infra/README.md": {
        "emulated": emulated_table,
        "not-emulated": not_emulated_table,
        "differences": differences_table,
    },
    "docs/operations.md": {"job-cost": job_table, "month-cost": month_table, "prices": price_table},
    "docs/architecture.md": {"house": house, "path": event_path},
    "docs/glossary.md": {"terms": glossary},
    "docs/states.md": {"job": job_diagram, "call": call_diagram},
}
WHOLE_FILES: Mapping[str, Callable[[], str]] = {".env.example": env_example}


@dataclass(frozen=True)
class Page:
    """A file, as it is and as it should be."""

    path: Path
    is_now: str
    should_be: str

    @property
    def stale(self) -> bool:
        """Whether the code has changed since the page was written."""
        return self.is_now != self.should_be


def pages(root: Path = ROOT) -> list[Page]:
    found = []
    for name, blocks in BLOCKS.items():
        is_now = should_be = (root / name).read_text(encoding="utf-8")
        for block, generate in blocks.items():
            should_be = replace_block(should_be, block, generate())
        found.append(Page(root / name, is_now, should_be))
    for name, generate in WHOLE_FILES.items():
        path = root / name
        is_now = path.read_text(encoding="utf-8") if path.exists() else ""
        found.append(Page(path, is_now, generate()))
    return found


def main() -> int:
    """Write or check, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m baton_local.docs", description="Write the generated parts of the docs."
    )
    parser.add_argument("--check", action="store_true", help="change nothing; fail when a page is out of date")
    check = parser.parse_args().check
    stale = [page for page in pages() if page.stale]
    for page in stale:
        name = page.path.relative_to(ROOT)
        if check:
            print(f"{name} is out of date: run `make docs`", file=sys.stderr)
        else:
            page.path.write_text(page.should_be, encoding="utf-8")
            print(f"wrote {name}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
