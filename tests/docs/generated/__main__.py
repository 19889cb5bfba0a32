"""`python -m tests.docs.generated`: writes the generated parts anew; `--check` says which are old (exit code 1).

Nothing outside of a block's two markers changes; a page without them, or with two pairs, is an error.
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from tests.docs.generated import operators, pictures, python_names, wire

ROOT = Path(__file__).resolve().parents[3]

BLOCKS: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "docs/reference/cli.md": {"commands": operators.command_reference},
    "docs/reference/python.md": {
        "baton": partial(python_names.names_of, "baton"),
        "baton-tools": partial(python_names.names_of, "baton.tools"),
        "baton-testing": partial(python_names.names_of, "baton.testing"),
    },
    "docs/clients.md": {"client-calls": python_names.client_calls},
    "docs/reference/http.md": {
        "endpoints": wire.endpoint_table,
        "problems": wire.problem_table,
        "failures": wire.failure_list,
        "bodies": wire.body_tables,
    },
    "docs/reference/events.md": {
        "events": wire.event_table,
        "fields": wire.event_fields,
        "payloads": wire.payload_fields,
        "commands": wire.command_fields,
    },
    "docs/reference/settings.md": {"settings": operators.settings_table},
    "docs/reference/limits.md": {"limits": operators.limits_table},
    "infra/README.md": {
        "emulated": operators.emulated_table,
        "not-emulated": operators.not_emulated_table,
        "differences": operators.differences_table,
    },
    "docs/operations.md": {
        "job-cost": operators.job_table,
        "month-cost": operators.month_table,
        "prices": operators.price_table,
    },
    "docs/architecture.md": {"house": pictures.house},
    "docs/states.md": {"job": pictures.job_diagram, "call": pictures.call_diagram},
}


def replace_block(page: str, name: str, content: str) -> str:
    begin, end = f"<!-- generated: {name} -->", f"<!-- end: {name} -->"
    if page.count(begin) != 1 or page.count(end) != 1 or page.index(begin) > page.index(end):
        raise ValueError(f"the page needs {begin!r} and, after it, {end!r}, each exactly once")
    before, _, rest = page.partition(begin)
    return f"{before}{begin}\n\n{content}\n\n{end}{rest.partition(end)[2]}"


def stale_pages() -> dict[str, str]:
    """Return the pages that the code has outgrown, with what each should be."""
    stale = {}
    for name, blocks in BLOCKS.items():
        is_now = should_be = (ROOT / name).read_text(encoding="utf-8")
        for block, generate in blocks.items():
            should_be = replace_block(should_be, block, generate())
        if is_now != should_be:
            stale[name] = should_be
    example = ROOT / ".env.example"
    if operators.env_example() != (example.read_text(encoding="utf-8") if example.exists() else ""):
        stale[example.name] = operators.env_example()
    return stale


def main() -> int:
    parser = argparse.ArgumentParser(prog="make docs", description="Write the generated parts of the docs.")
    parser.add_argument("--check", action="store_true", help="change nothing; fail when a page is out of date")
    check = parser.parse_args().check
    stale = stale_pages()
    for name, should_be in stale.items():
        if check:
            sys.stderr.write(f"{name} is out of date: run `make docs`\n")
        else:
            (ROOT / name).write_text(should_be, encoding="utf-8")
            sys.stdout.write(f"wrote {name}\n")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
