"""The harness's Coder and Researcher, in a process that dies at each kind of boundary of their pieces."""

import json
import re
import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from baton_local.fixtures.servers import QStashServer, RedisServer
from tests.e2e.dying_store import PIECES
from tests.e2e.test_dying_runs import SETTINGS, die, ended
from tests.unit.baton.sdk.pydantic_ai.played import check_same

# Of a command that ran: its process, and where its output is.
_OF_A_PROCESS = re.compile(r"PID: \d+|-- -\d+|pid\W+\d+|shell/[0-9a-f]+")


def without_processes(messages: Any) -> str:
    return _OF_A_PROCESS.sub("", json.dumps(messages))


def files_in(folder: Path) -> dict[str, str]:
    """The files but for what commands have said."""
    found = (path for path in folder.rglob("*") if path.is_file() and ".pydantic-ai-harness" not in path.parts)
    return {str(path.relative_to(folder)): path.read_text() for path in found}


def renew(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "a.txt").write_text("a\n")
    (folder / "AGENTS.md").write_text("Be kind.\n")


@pytest.mark.e2e
@pytest.mark.harness
@pytest.mark.long
async def test_a_preset_whose_process_dies_at_each_kind_of_boundary_is_as_a_run(
    qstash_server: QStashServer, redis_server: RedisServer, tmp_path: Path
) -> None:
    """Before its commits in one job, after them in another one: of a turn, of a call, of what takes its result in."""
    presets = import_module("tests.e2e.dying_presets").presets_in(tmp_path)
    expected, files = {}, {}
    for name, agent in presets.items():
        renew(tmp_path / name)
        expected[name] = await agent.run("do it")
        files[name] = files_in(tmp_path / name)
        renew(tmp_path / name)
    settings = {**qstash_server.env, **redis_server.env, **SETTINGS}
    deaths = dict.fromkeys(PIECES.values())
    jobs = die("dying_presets", tmp_path, settings, {tuple(name.split("_")): (name, deaths) for name in presets})
    async for key, snapshot, transcript in ended(jobs):
        name = "_".join(key)
        check_same(snapshot, transcript, expected[name], without_processes)
        assert files_in(tmp_path / name) == files[name]
