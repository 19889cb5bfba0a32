"""What a person's own code prints and logs is marked, and named by its job."""

import io
import logging
from pathlib import Path

from baton.observability.logs import name_job_in_logs
from baton_local.dev.app_lines import OwnOutput, OwnRecords


async def test_each_line_that_is_printed_has_the_job_in_front() -> None:
    written = io.StringIO()
    output = OwnOutput(written)
    print("loaded", file=output)
    name_job_in_logs("job_1")
    print("a", end="", file=output)
    print("b\nc", file=output)
    assert written.getvalue() == "> loaded\n> job_1 ab\n> job_1 c\n"


def test_records_of_a_folder_are_marked_and_those_of_its_libraries_are_not() -> None:
    formatter = OwnRecords(Path("/app"), "%(message)s")

    def shown(path: str) -> str:
        return formatter.format(logging.LogRecord("x", logging.INFO, path, 1, "a\nb", (), None))

    assert shown("/app/tools.py") == "> a\n> b"
    assert shown("/app/.venv/lib/site-packages/httpx/client.py") == shown("/lib/x.py") == "a\nb"
