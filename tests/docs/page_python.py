"""The Python of one page, as a process: takes blocks on standard input, one JSON object a line, and answers each.

Blocks without a file share one namespace, in the page's order; a file is imported under its own name. It knows nothing
of pages, so that nothing of the tests is in what the blocks see.
"""

import contextlib
import io
import json
import os
import runpy
import sys
import traceback
from typing import Any

NAMESPACE: dict[str, Any] = {"__name__": "__page__"}


def run(request: dict[str, str]) -> dict[str, Any]:
    """Run one block where the page's shell is now; what it printed, and its error."""
    os.chdir(request["folder"])
    sys.path[0] = request["folder"]
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            if request["file"]:
                runpy.run_path(request["file"], run_name="__page_file__")
            else:
                exec(compile(request["text"], request["place"], "exec"), NAMESPACE)  # that is its job
    except Exception:  # noqa: BLE001 - whatever the block raises is the answer
        return {"printed": printed.getvalue(), "error": traceback.format_exc()}
    return {"printed": printed.getvalue(), "error": ""}


if __name__ == "__main__":
    answers = sys.stdout
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), file=answers, flush=True)
