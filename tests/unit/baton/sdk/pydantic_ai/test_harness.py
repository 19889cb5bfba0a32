"""The capabilities of pydantic-ai's harness: as in `agent.run`, also where the process dies, or refused by name.

The harness demands the lowest version of pydantic-ai. So those marked `harness` run in an environment with both.
"""

import json
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessagesTypeAdapter
from pydantic_core import to_jsonable_python

from baton import Registry
from baton.pydantic_ai import durable
from baton.testing import Simulation
from tests.architecture.source_files import ROOT
from tests.unit.baton.kit.stage import SETTINGS
from tests.unit.baton.sdk.pydantic_ai.capable_agents import Happened
from tests.unit.baton.sdk.pydantic_ai.harness_cases import (
    ALONE,
    CONNECTIONS,
    REFUSED,
    REPEATS_TOLD,
    WHOLE,
    WITH_PROCESSES,
    renew,
    table,
)
from tests.unit.baton.sdk.pydantic_ai.played import INLINE, PlayedStage, check_same, comparable

Make = Callable[[Path, Happened], Agent[Any, Any]]
AGENTS = "tests.unit.baton.sdk.pydantic_ai.harness_agents"
OTHERS = "tests.unit.baton.sdk.pydantic_ai.harness_processes"


class Workspace:
    """A folder and a memory that are as new before each run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.renew()

    def renew(self) -> None:
        import_module(AGENTS).forget()
        renew(self.folder)

    def files(self) -> dict[str, str]:
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return {str(path.relative_to(self.folder)): path.read_text() for path in found}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


def made_by(name: str) -> Make:
    agents, others = (import_module(module).AGENTS for module in (AGENTS, OTHERS))
    make: Make = (agents | others)[name]
    return make


def test_the_guide_has_this_table() -> None:
    page = (ROOT / "docs" / "guides" / "pydantic-ai.md").read_text(encoding="utf-8")
    assert "\n".join(table()) in page


@pytest.mark.harness
# The process also dies inside of runs that a call has begun: what pydantic-ai had entered there is just left.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", WHOLE.capabilities.values())
async def test_a_job_gives_what_a_run_gives_wherever_its_process_dies(name: str, workspace: Workspace) -> None:
    make, direct, played = made_by(name), Happened(), Happened()
    expected = await make(workspace.folder, direct).run("do it")
    files = workspace.files()
    workspace.renew()
    run = await Simulation(Registry([durable(make(workspace.folder, played))])).run("a", "do it")
    assert run.error is None
    assert run.result.get("output") == to_jsonable_python(expected.output)
    messages = ModelMessagesTypeAdapter.validate_python(run.model_messages)
    assert comparable(messages) == comparable(expected.all_messages())
    assert (played, workspace.files()) == (direct, files)
    if name in (REPEATS_TOLD, *CONNECTIONS):
        return
    agent = durable(make(workspace.folder, Happened()))
    report = await Simulation(Registry([agent]), fresh=workspace.renew).crash_everywhere("a", "do it")
    report.check()
    assert report.usual.result == run.result


@pytest.mark.harness
@pytest.mark.parametrize("inline", [True, False], ids=["in one process", "each step in another one"])
@pytest.mark.parametrize("name", WITH_PROCESSES.capabilities.values())
async def test_a_job_whose_calls_start_processes_gives_what_a_run_gives(
    name: str, inline: bool, workspace: Workspace
) -> None:
    """They run in real time, so that no virtual one can show each crash point."""
    make = made_by(name)
    expected = await make(workspace.folder, Happened()).run("do it")
    files = workspace.files()
    workspace.renew()
    agent = durable(make(workspace.folder, Happened()))
    stage = PlayedStage(registry=Registry([agent]), settings=INLINE if inline else SETTINGS)
    await stage.submit("a")

    async def begin_anew() -> None:
        if not inline:
            stage.restart()

    await stage.run(begin_anew)
    transcript = [json.loads(text) for text in stage.store.tree("job_1").transcript["job_1"]]
    check_same(await stage.snapshot(), transcript, expected)
    assert workspace.files() == files


@pytest.mark.harness
@pytest.mark.parametrize("row", REFUSED, ids=lambda row: next(iter(row.capabilities)))
async def test_what_cannot_be_kept_is_refused_by_name(row: Any, workspace: Workspace) -> None:
    [(capability, name)] = row.capabilities.items()
    agent = durable(made_by(name)(workspace.folder, Happened()))
    run = await Simulation(Registry([agent])).run("a", "do it")
    assert run.error is not None
    assert run.error["type"] == "state_not_kept"
    assert capability.partition("(")[0] in run.error["message"]
    assert re.search(row.told, run.error["message"])


@pytest.mark.harness
async def test_calls_beside_each_other_count_each_by_itself(workspace: Workspace) -> None:
    """A limit of one call a request holds for each of them alone."""
    [name] = ALONE.capabilities.values()
    run = await Simulation(Registry([durable(made_by(name)(workspace.folder, Happened()))])).run("a", "do it")
    told = [part["content"] for message in run.model_messages for part in message["parts"] if "outcome" in part]
    assert told == ["advice", "advice", "advice"]
