"""A part that runs a person's code is started again when that changes; over real processes and files."""

import os
import signal
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from baton_local.dev.part import Code, Part, http_is_ready
from baton_local.dev.ports import any_free_port
from baton_local.dev.stack_error import StackError
from tests.unit.baton_local.dev.test_supervisor import Stage, server
from tests.unit.baton_local.waiting import until

RUNS_CODE = """
import os, runpy, sys, traceback
from http.server import BaseHTTPRequestHandler, HTTPServer

try:
    runpy.run_path(sys.argv[2])
except Exception:
    traceback.print_exc()
    print("code.py cannot be loaded", file=sys.stderr)
    os._exit(os.EX_CONFIG)

class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

print(*sys.argv[3:], "starts", flush=True)
HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""


def runner(folder: Path, module: str = "code") -> Part:
    """A part that loads `code.py` of a folder, and serves if it can."""
    port = any_free_port(frozenset())
    return Part(
        name="app",
        command=(sys.executable, "-c", RUNS_CODE, str(port), str(folder / "code.py")),
        environment={},
        is_ready=partial(http_is_ready, "127.0.0.1", port, "/"),
        code=Code(folder, module),
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "code.py").write_text("VALUE = 1\n")
    return folder


async def test_a_change_starts_it_again_and_nothing_else(project: Path, tmp_path: Path) -> None:
    stage = Stage(tmp_path, server("redis", tmp_path / "notes"), runner(project))
    async with stage.started() as supervisor:
        before = supervisor.process_ids()
        (project / "code.py").write_text("VALUE = 2\n")
        await until(lambda: stage.changes == 3)
        after = supervisor.process_ids()
    assert stage.shown == ["app: code.py has changed: starting again with it", "app: runs with the saved code"]
    assert (after["redis"], after["app"] == before["app"]) == (before["redis"], False)


async def test_code_that_is_new_is_told_so_and_the_same_code_after_a_death_is_not(
    project: Path, tmp_path: Path
) -> None:
    """What it registers elsewhere stands there already."""
    stage = Stage(tmp_path, replace(runner(project), with_new_code=("new",)))
    async with stage.started() as supervisor:
        os.kill(supervisor.process_ids()["app"], signal.SIGKILL)
        await until(lambda: stage.changes == 2)
        (project / "code.py").write_text("VALUE = 2\n")
        await until(lambda: stage.changes == 3)
    starts = [line for line in (tmp_path / "app.log").read_text().splitlines() if line.endswith("starts")]
    assert starts == ["new starts", "starts", "new starts"]


async def test_what_is_no_code_changes_nothing(project: Path, tmp_path: Path) -> None:
    names = ("notes.txt", ".venv/lib/other.py", "__pycache__/code.py")
    for name in (*names, "more/tools.py"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
    stage = Stage(tmp_path, runner(project))
    async with stage.started() as supervisor:
        before = supervisor.process_ids()
        for name in names:
            (project / name).write_text("x = 1\n")
        (project / "more/tools.py").write_text("x = 1\n")  # seen, and after those
        await until(lambda: stage.shown)
        await until(lambda: stage.changes == 2)
    assert stage.shown == ["app: more/tools.py has changed: starting again with it", "app: runs with the saved code"]
    assert supervisor.process_ids() != before


@pytest.mark.parametrize(("module", "counts"), [("code", False), ("tests.shop.agents", True), ("test_agents", True)])
async def test_tests_count_only_where_the_app_is_one(
    project: Path, tmp_path: Path, module: str, *, counts: bool
) -> None:
    names = ("tests/shop/agents.py", "test_code.py", "more/code_test.py", "conftest.py", "more/tests.py", "test/a.py")
    for name in names:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
    stage = Stage(tmp_path, runner(project, module))
    async with stage.started():
        for name in names:
            (project / name).write_text("x = 1\n")
        if not counts:
            (project / "latest.py").write_text("x = 1\n")  # seen, and after those
        await until(lambda: stage.shown)
    assert ("latest.py" in stage.shown[0]) is not counts


async def test_code_that_cannot_be_loaded_is_shown_and_heals_with_the_next_save(project: Path, tmp_path: Path) -> None:
    stage = Stage(tmp_path, runner(project))
    async with stage.started() as supervisor:
        (project / "code.py").write_text("VALUE = 1\nimport no_such_module\n")
        await until(lambda: any("waits for its code to be mended" in line for line in stage.shown))
        assert supervisor.process_ids() == {}
        assert supervisor.fault() == "code.py cannot be loaded"
        assert any(f'File "{project}/code.py", line 2' in line for line in stage.shown)
        assert "app: ModuleNotFoundError: No module named 'no_such_module'" in stage.shown
        assert "app: code.py cannot be loaded" in stage.shown
        (project / "code.py").write_text("VALUE = 3\n")
        await until(lambda: stage.changes == 3)
        assert list(supervisor.process_ids()) == ["app"]
        assert supervisor.fault() == ""
    assert (tmp_path / "app.log").read_text().count("cannot be loaded") == 1


async def test_a_stack_whose_code_cannot_be_loaded_does_not_start(project: Path, tmp_path: Path) -> None:
    (project / "code.py").write_text("raise ValueError('not yet')\n")
    with pytest.raises(StackError, match=r"(?s)app cannot start\..*not yet"):
        async with Stage(tmp_path, runner(project)).started():
            pass


async def test_one_that_joins_waits_for_its_code_also_where_it_has_never_run(project: Path, tmp_path: Path) -> None:
    """The code was whole when the stack got ready, and is saved with an error before this one has loaded it."""
    whole = tmp_path / "whole"
    whole.mkdir()
    (whole / "code.py").write_text("VALUE = 1\n")
    (project / "code.py").write_text("import no_such_module\n")
    joining = replace(runner(project), name="app-2", needs=("app",), joins=True)
    stage = Stage(tmp_path, runner(whole), joining)
    async with stage.started() as supervisor:
        await until(lambda: bool(supervisor.fault()))
        assert list(supervisor.process_ids()) == ["app"]
        (project / "code.py").write_text("VALUE = 2\n")
        await until(lambda: list(supervisor.process_ids()) == ["app", "app-2"] and not supervisor.fault())


async def test_a_stack_stops_while_it_waits_for_code(project: Path, tmp_path: Path) -> None:
    stage = Stage(tmp_path, runner(project))
    async with stage.started() as supervisor:
        (project / "code.py").write_text("import no_such_module\n")
        await until(lambda: any("waits for its code" in line for line in stage.shown))
    assert supervisor.process_ids() == {}


async def test_where_nobody_may_look_the_part_goes_on(project: Path, tmp_path: Path) -> None:
    part = replace(runner(project), code=Code(project / "gone", "code"))
    stage = Stage(tmp_path, part)
    async with stage.started() as supervisor:
        await until(lambda: stage.shown)
        assert list(supervisor.process_ids()) == ["app"]
    assert len(stage.shown) == 1
    assert stage.shown[0].startswith("app: changes of its code are not seen, start the stack again:")
