"""The sample agents, run over the real library."""

import dataclasses
import re
import shutil
from pathlib import Path

import pytest

from baton.agents.agent import Agent
from baton.agents.samples.library_agents import LIBRARY, research
from baton.agents.samples.registry import registry, simple
from baton.tools.builtin.files import file_tools
from tests.unit.baton.agents.in_memory_loop import run_agent

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


@pytest.mark.parametrize("question", QUESTIONS)
async def test_research_answers_from_real_sources(
    library: Path, question: str, capsys: pytest.CaptureFixture[str]
) -> None:
    agent, reports = over(library)
    ran = await run_agent(agent, question)
    body = ran.answer.split("\n\n")[0]
    quoted = re.findall(r"(.+?) \[([\w.-]+)\] ?", body)
    assert len(quoted) >= 2
    for sentence, path in quoted:
        assert sentence in " ".join((library / path).read_text(encoding="utf-8").split())
    assert ran.turns <= 8
    assert not [result for result in ran.results if result.is_error]
    assert len(list(reports.iterdir())) == 1
    assert capsys.readouterr() == ("", "")


async def test_another_library_gives_another_answer(library: Path) -> None:
    agent, _ = over(library)
    before = await run_agent(agent, QUESTIONS[1])
    pharos = library / "pharos.md"
    pharos.write_text(
        pharos.read_text(encoding="utf-8").replace("at least 100 metres", "about 77 metres"), encoding="utf-8"
    )
    after = await run_agent(agent, QUESTIONS[1])
    assert "at least 100 metres" in before.answer
    assert "about 77 metres" in after.answer
    pharos.unlink()
    without = await run_agent(agent, QUESTIONS[1])
    assert "metres high [pharos.md]" not in without.answer
    assert "pharos.md" not in {call.arguments.get("path") for call in without.calls}


async def test_a_question_that_the_library_does_not_answer_is_reported(library: Path) -> None:
    agent, reports = over(library)
    ran = await run_agent(agent, "Which quasar has the highest redshift?")
    assert "I found nothing about quasar" in ran.answer
    assert not reports.exists()


async def test_simple_makes_two_calls_in_turn_and_two_at_once() -> None:
    ran = await run_agent(simple, "go")
    assert ran.turns == 4
    assert [call.tool for call in ran.calls] == ["list_files", "search_files", "count_words", "count_words"]
    assert [result.is_error for result in ran.results] == [False, False, False, True]
    assert ran.answer.startswith("Listed the library")


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
