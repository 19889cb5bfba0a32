"""The harness's capabilities, in a process that dies at each kind of boundary of their pieces."""

import json
import re
from collections.abc import Iterable
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from baton_local.fixtures.servers import QStashServer, RedisServer
from tests.e2e.dying_store import PIECES
from tests.e2e.test_dying_runs import SETTINGS, die, ended
from tests.unit.baton.sdk.pydantic_ai.harness_cases import REPEATS_TOLD, renew
from tests.unit.baton.sdk.pydantic_ai.played import check_same

# Of a command that ran: its process, and where its output is.
_OF_A_PROCESS = re.compile(r"PID: \d+|-- -\d+|pid\W+\d+|shell/[0-9a-f]+")


def without_processes(messages: Any) -> str:
    return _OF_A_PROCESS.sub("", json.dumps(messages))


def files_in(folder: Path) -> dict[str, str]:
    """The files but for what commands have said."""
    found = (path for path in folder.rglob("*") if path.is_file() and ".pydantic-ai-harness" not in path.parts)
    return {str(path.relative_to(folder)): path.read_text() for path in found}


def begin_anew(place: Path, folders: Iterable[Path]) -> None:
    """With new workspaces, and nothing remembered."""
    for remembered in place.glob("*.sqlite"):
        remembered.unlink()
    for folder in folders:
        renew(folder)


@pytest.mark.e2e
@pytest.mark.harness
@pytest.mark.long
async def test_a_capability_whose_process_dies_at_each_kind_of_boundary_is_as_in_a_run(
    qstash_server: QStashServer, redis_server: RedisServer, tmp_path: Path
) -> None:
    """Before its commits in one job, after them in another one: of a turn, of a call, of what takes its result in."""
    made = import_module("tests.e2e.dying_capabilities")
    folders = {key: tmp_path / "_".join(key) for key in product(made.MADE, made.MOMENTS)}
    begin_anew(tmp_path, folders.values())
    expected = {key: await agent.run("do it") for key, agent in made.agents_in(tmp_path).items()}
    files = {key: files_in(folder) for key, folder in folders.items()}
    begin_anew(tmp_path, folders.values())
    settings = {**qstash_server.env, **redis_server.env, **SETTINGS, "MAX_CONCURRENT_JOBS": "200"}
    asked = {key: ("_".join(key), dict.fromkeys(PIECES.values())) for key in folders}
    async for key, snapshot, transcript in ended(die("dying_capabilities_app", tmp_path, settings, asked)):
        if key != (REPEATS_TOLD, "before"):
            check_same(snapshot, transcript, expected[key], without_processes)
        assert files_in(folders[key]) == files[key]
    assert len(folders) >= 100
