"""How the demo model deals with memory."""

from typing import Any

import pytest

from baton.memory.entries import Recalled, Recollection, as_prompt
from baton.models.demo.notes import prompt_entries, recalled_entries, to_remember
from baton.models.model import ModelAnswer, ToolSpec, UserMessage
from baton.sdk.memory import MemoryEntry
from tests.unit.baton.models.demo.test_demo import past, request, spec

TOOLS = (spec("remember", "text"), spec("recall", "query", "limit"))
DAY_MS = 1_767_225_600_000  # 2026-01-01


@pytest.mark.parametrize(
    ("question", "what"),
    [
        ("Remember that it rains.", "it rains."),
        ("please remember: the code is 7", "the code is 7"),
        ("Note the tide.", "the tide."),
        ("Remember thatched roofs.", "thatched roofs."),
        ("Do you remember the tide?", ""),
        ("Notes on tides?", ""),
        ("", ""),
    ],
)
def test_an_order_to_remember_begins_with_the_keyword(question: str, what: str) -> None:
    """Anything else is a question."""
    assert to_remember(question) == what


def entry(text: str, session: str = "s1") -> Recalled:
    """Something that is remembered."""
    return Recalled(MemoryEntry("e", "note", text, session, "a", "j", DAY_MS))


def test_of_a_question_and_its_answer_the_answer_is_read() -> None:
    """Without the sources that it names; an order to remember is a note of its own already."""
    note = as_prompt(
        Recollection(
            "s1", (entry("Asked: Who?\nAnswered: Ann did. [memory]"), entry("Asked: Remember X.\nAnswered: Yes."))
        ).recorded()
    )
    assert [text for _, text in prompt_entries(note)] == ["Ann did."]


@pytest.mark.parametrize("result", ["x", None, {"entries": "x"}, {"entries": [3]}])
def test_a_result_in_another_form_has_no_entries(result: Any) -> None:
    """Never an error."""
    assert recalled_entries(result) == []


async def one_turn(question: str, *results: tuple[str, dict[str, Any], Any], note: str = "") -> ModelAnswer:
    """Ask, with what is told before the question."""
    before = [UserMessage(note, note=True)] if note else []
    return await request(*before, UserMessage(question), *past(*results), tools=TOOLS)


async def test_it_reads_memory_only_for_what_it_was_not_given() -> None:
    """What comes before the question may be enough."""
    note = as_prompt(Recollection("s1", (entry("On this coast the tide turns at six."),)).recorded())
    answer = await one_turn("When does the tide turn?", note=note)
    assert answer.text == "On this coast the tide turns at six. [this conversation, 2026-01-01]"
    assert [call.tool for call in (await one_turn("When does the tide turn?")).calls] == ["recall"]


async def test_it_answers_from_what_it_recalled() -> None:
    """Or says that there is nothing."""
    found = {"entries": [{"text": "On this coast the tide turns at six.", "createdAt": "2026-01-01T00:00:00.000Z"}]}
    answer = await one_turn("When does the tide turn?", ("recall", {"query": "q"}, found))
    assert answer.text == "On this coast the tide turns at six. [memory, 2026-01-01]"
    answer = await one_turn("When does the tide turn?", ("recall", {"query": "q"}, {"entries": []}))
    assert answer.text == "I remember nothing about tide, turn."


async def test_results_of_other_tools_are_the_answer() -> None:
    """With what was asked of which; an agent's answer stands for itself."""
    tools = (
        ToolSpec("price", "", {"properties": {"item": {"enum": ["lamp"]}}, "required": ["item"]}),
        spec("helper", "task"),
    )
    results = past(("price", {"item": "lamp"}, 20), ("helper", {"task": "How?"}, "So."))
    answer = await request(UserMessage("What is a lamp? How?"), *results, tools=tools)
    assert answer.text == "price lamp: 20\n\nhelper: So."
