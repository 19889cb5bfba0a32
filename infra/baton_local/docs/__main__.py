"""`python -m baton_local.docs`: writes the generated parts anew; `--check` says which are out of date (exit code 1)."""

import argparse
import sys

from baton_local.docs.pages import ROOT, pages


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
