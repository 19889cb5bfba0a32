"""The sample agents: research over the real library, an assistant that remembers, and a supervisor."""

import dataclasses
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from baton.engine.step_results import Submitted
from baton.engine.transitions import CallStatus, JobStatus
from baton.sdk.agents.agent import Agent
from baton.sdk.agents.registry import Registry
from baton.sdk.agents.samples.library_agents import LIBRARY, research
from baton.sdk.agents.samples.registry import registry, simple
from baton.sdk.tools.builtin.files import file_tools
from baton.store.records.jobs import Snapshot
from baton_events.ids import child_of
from tests.fakes import FakeLongTermMemory
from tests.unit.baton.kit.stage import Stage

QUESTIONS = [
    "Why did the Fresnel lens replace mirrors in lighthouses?",
    "How high was the Pharos of Alexandria and what destroyed it?",
    "When was the Bell Rock lighthouse built, and who built it?",
    "How did the sun valve let lights work without keepers?",
    "Who was Grace Darling?",
]


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A copy of the library that a test may change."""
    return Path(shutil.copytree(LIBRARY, tmp_path / "library"))


def over(library: Path) -> tuple[Agent, Path]:
    reports = library.parent / "reports"
    return dataclasses.replace(research, tools=file_tools(library, reports)), reports


async def run_agent(agent: Agent, task: str) -> tuple[str, Snapshot]:
    stage = Stage(registry=Registry([agent]))
    await stage.submit(agent.name, task=task)
    await stage.run()
    ran = await stage.snapshot()
    return (ran.job.result or {})["answer"], ran


@pytest.mark.parametrize("question", QUESTIONS)
async def test_research_answers_from_real_sources(
    library: Path, question: str, capsys: pytest.CaptureFixture[str]
) -> None:
    agent, reports = over(library)
    answer, ran = await run_agent(agent, question)
    quoted = re.findall(r"(.+?) \[([\w.-]+)\] ?", answer.split("\n\n")[0])
    assert len(quoted) >= 2
    for sentence, path in quoted:
        assert sentence in " ".join((library / path).read_text(encoding="utf-8").split())
    assert ran.job.used.turns <= 8
    assert {call.status for call in ran.calls} == {CallStatus.COMPLETED}
    assert len(list(reports.iterdir())) == 1
    assert capsys.readouterr() == ("", "")


async def test_another_library_gives_another_answer(library: Path) -> None:
    agent, _ = over(library)
    before, _ = await run_agent(agent, QUESTIONS[1])
    pharos = library / "pharos.md"
    changed = pharos.read_text(encoding="utf-8").replace("at least 100 metres", "about 77 metres")
    pharos.write_text(changed, encoding="utf-8")
    after, _ = await run_agent(agent, QUESTIONS[1])
    assert "at least 100 metres" in before
    assert "about 77 metres" in after
    pharos.unlink()
    without, ran = await run_agent(agent, QUESTIONS[1])
    assert "metres high [pharos.md]" not in without
    assert "pharos.md" not in {call.arguments.get("path") for call in ran.calls}


async def test_a_question_that_the_library_does_not_answer_is_reported(library: Path) -> None:
    agent, reports = over(library)
    answer, _ = await run_agent(agent, "Which quasar has the highest redshift?")
    assert "I found nothing about quasar" in answer
    assert not reports.exists()


async def test_simple_makes_two_calls_in_turn_and_two_at_once() -> None:
    answer, ran = await run_agent(simple, "go")
    assert ran.job.used.turns == 4
    calls = sorted(ran.calls, key=lambda call: (call.turn, call.position))
    assert [call.tool for call in calls] == ["list_files", "search_files", "count_words", "count_words"]
    assert [call.status is CallStatus.FAILED for call in calls] == [False, False, False, True]
    assert answer.startswith("Listed the library")


def test_the_library_is_worth_reading() -> None:
    files = sorted(LIBRARY.iterdir())
    assert len(files) == 10
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert text.startswith("# ")
        assert 250 <= len(text.split()) <= 600


def test_the_samples_are_registered_under_their_names() -> None:
    """A job's `jobType` says which."""
    names = {agent.name for agent in registry.agents}
    assert names >= {"research", "simple", "supervisor", "historian", "engineer", "assistant", "report", "planner"}


GIVEN = "Remember that the lens on Gull Rock was cleaned by Ann Ward on 3 May."
REQUESTED = "Who cleaned the lens on Gull Rock?"
FACT = "the lens on Gull Rock was cleaned by Ann Ward on 3 May."


async def request(stage: Stage, job_id: str, question: str, session: str) -> dict[str, Any]:
    submitted = Submitted(stage.job("assistant", job_id, session=session), {"text": question, "data": {}})
    await stage.container.commands.submit(submitted.job, submitted.task)
    await stage.run()
    snapshot = await stage.snapshot(job_id)
    assert snapshot.job.status is JobStatus.COMPLETED, snapshot.job.error
    return snapshot.job.result or {}


async def test_without_an_index_another_session_does_not_know_it() -> None:
    stage = Stage(registry=registry)
    answer = (await request(stage, "job_1", GIVEN, "monday"))["answer"]
    assert "in this conversation only" in answer
    answer = (await request(stage, "job_2", REQUESTED, "tuesday"))["answer"]
    assert answer == "I remember nothing about cleaned, lens, gull, rock."
    assert [call.tool for call in await stage.calls("job_2")] == ["recall"]


async def test_what_one_job_learns_another_knows() -> None:
    """It says of which conversation it was; the question itself is never given as its answer."""
    stage = Stage(registry=registry, long_term_memory=FakeLongTermMemory())
    assert await request(stage, "job_1", GIVEN, "monday") == {"answer": f"I will remember: {FACT}"}
    for job_id, session, which in (("job_2", "monday", "this"), ("job_3", "tuesday", "another")):
        answer = (await request(stage, job_id, REQUESTED, session))["answer"]
        assert answer.count(FACT) == 1
        assert f"[{which} conversation, " in answer
        assert REQUESTED not in answer


async def test_a_question_that_cannot_be_shared_goes_to_both() -> None:
    """Each answers in its own way: the engineer counts its sources."""
    stage = Stage(registry=registry)
    await stage.submit("supervisor", task="How did the sun valve work?")
    await stage.run()
    calls = (await stage.snapshot()).calls
    assert [call.arguments["task"] for call in calls] == ["How did the sun valve work?"] * 2
    used = [{call.tool for call in (await stage.snapshot(child_of(call.id))).calls} for call in calls]
    assert [("count_words" in tools) for tools in used] == [False, True]
