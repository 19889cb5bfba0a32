"""The demo model's steps, one turn at a time: with files, with memory, and in the form that an agent asks for."""

from enum import StrEnum
from typing import Any

import pytest
from pydantic import BaseModel, Field

from baton.sdk.memory.entries import Recalled, Recollection, as_prompt
from baton.sdk.models.demo.model import DemoModel
from baton.sdk.models.demo.moves import output_arguments
from baton.sdk.models.demo.notes import prompt_entries, recalled_entries, to_remember
from baton.sdk.models.model import (
    Call,
    Message,
    ModelAnswer,
    ModelError,
    ModelMessage,
    ModelRequest,
    PastCall,
    ToolMessage,
    ToolSpec,
    UserMessage,
)
from baton.sdk.records.memory import MemoryEntry

PARAMETERS = {
    "list_files": [],
    "search_files": ["query", "limit"],
    "read_file": ["path", "max_chars"],
    "count_words": ["path"],
    "write_report": ["title", "text", "sources"],
}
Result = tuple[str, dict[str, Any], Any]
LISTED: Result = ("list_files", {}, {"files": [{"path": "clocks.md"}, {"path": "oil.md"}]})
NO_HITS: Result = ("search_files", {"query": "whale"}, {"hits": [], "files": {}})


NO_ENTRIES: Result = ("recall", {"query": "whale"}, {"entries": []})


def spec(name: str, *arguments: str) -> ToolSpec:
    required = [argument for argument in arguments if argument not in {"limit", "max_chars"}]
    return ToolSpec(name, "", {"properties": {argument: {} for argument in arguments}, "required": required})


ALL = tuple(spec(name, *arguments) for name, arguments in PARAMETERS.items())


RECALL = spec("recall", "query")


async def request(*messages: Message, tools: tuple[ToolSpec, ...] = ALL) -> ModelAnswer:
    return await DemoModel().answer(ModelRequest("Be brief.", messages, tools, turn=1))


def past(*results: Result) -> list[Message]:
    """Earlier calls with their results; an exception as result is an error."""
    messages: list[Message] = []
    for number, (tool, arguments, content) in enumerate(results):
        failed = isinstance(content, Exception)
        messages.append(ModelMessage("", (PastCall(f"c{number}", tool, arguments),)))
        messages.append(ToolMessage(f"c{number}", tool, str(content) if failed else content, is_error=failed))
    return messages


async def test_it_lists_then_searches_the_words_in_parallel() -> None:
    """By whatever name a tool calls its argument."""
    question = UserMessage("Which whale oil did keepers burn?")
    assert [call.tool for call in (await request(question)).calls] == ["list_files"]
    calls = (await request(question, *past(LISTED))).calls
    assert [call.tool for call in calls] == ["search_files"] * 4
    assert [call.arguments["query"] for call in calls] == ["whale", "oil", "keeper", "burn"]
    answer = await request(UserMessage("whale"), tools=(spec("search_files", "pattern"),))
    assert answer.calls[0].arguments == {"pattern": "whale"}


async def test_a_failed_search_is_reported_and_the_files_are_read_all_the_same() -> None:
    history = past(LISTED, ("search_files", {"query": "whale"}, RuntimeError("index broken")))
    calls = (await request(UserMessage("whale"), *history)).calls
    assert [call.arguments["path"] for call in calls] == ["clocks.md", "oil.md"]
    text = "Whale oil was burned in every lamp."
    final = await request(
        UserMessage("whale"),
        *history,
        *past(("read_file", {"path": "oil.md"}, text), ("count_words", {"path": "oil.md"}, RuntimeError("no"))),
        *past(("write_report", {}, RuntimeError("disk full"))),
    )
    assert final.text.startswith(f"{text} [oil.md]")
    assert "search_files: index broken" in final.text
    assert "write_report: disk full" in final.text


TOOLS = (spec("remember", "text"), spec("recall", "query", "limit"))
DAY_MS = 1_767_225_600_000  # 2026-01-01


@pytest.mark.parametrize(
    ("question", "what"),
    [
        ("Remember that it rains.", "it rains."),
        ("please remember: the code is 7", "the code is 7"),
        ("Remember thatched roofs.", "thatched roofs."),
        ("Do you remember the tide?", ""),
        ("Notes on tides?", ""),
    ],
)
def test_an_order_to_remember_begins_with_the_keyword(question: str, what: str) -> None:
    assert to_remember(question) == what


def entry(text: str, session: str = "s1") -> Recalled:
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


async def one_turn(question: str, *results: Result, note: str = "") -> ModelAnswer:
    before = [UserMessage(note, note=True)] if note else []
    return await request(*before, UserMessage(question), *past(*results), tools=TOOLS)


async def test_it_reads_memory_only_for_what_it_was_not_given() -> None:
    """What comes before the question may be enough."""
    note = as_prompt(Recollection("s1", (entry("On this coast the tide turns at six."),)).recorded())
    answer = await one_turn("When does the tide turn?", note=note)
    assert answer.text == "On this coast the tide turns at six. [this conversation, 2026-01-01]"
    assert [call.tool for call in (await one_turn("When does the tide turn?")).calls] == ["recall"]


async def test_it_answers_from_what_it_recalled() -> None:
    found = {"entries": [{"text": "On this coast the tide turns at six.", "createdAt": "2026-01-01T00:00:00.000Z"}]}
    answer = await one_turn("When does the tide turn?", ("recall", {"query": "q"}, found))
    assert answer.text == "On this coast the tide turns at six. [memory, 2026-01-01]"
    answer = await one_turn("When does the tide turn?", ("recall", {"query": "q"}, {"entries": []}))
    assert answer.text == "I remember nothing about tide, turn."


async def test_results_of_other_tools_are_the_answer() -> None:
    tools = (
        ToolSpec("price", "", {"properties": {"item": {"enum": ["lamp"]}}, "required": ["item"]}),
        spec("helper", "task"),
    )
    results = past(("price", {"item": "lamp"}, 20), ("helper", {"task": "How?"}, "So."))
    answer = await request(UserMessage("What is a lamp? How?"), *results, tools=tools)
    assert answer.text == "price lamp: 20\n\nhelper: So."


class Mood(StrEnum):
    CALM = "calm"
    ANGRY = "angry"


class Author(BaseModel):
    """Who."""

    name: str
    age: int = Field(ge=18)


class Report(BaseModel):
    """What."""

    summary: str
    sources: list[str]
    author: Author
    mood: Mood
    certain: bool
    ratio: float
    title: str | None
    others: list[Author]
    note: str = "none"


def test_every_required_field_gets_a_value_of_its_type() -> None:
    arguments = output_arguments(Report.model_json_schema(), "It is.", ["a.md"])
    assert "note" not in arguments
    report = Report.model_validate(arguments)
    assert (report.summary, report.sources, report.title) == ("It is.", ["a.md"], "It is.")
    assert (report.author.age, report.mood, report.certain, report.others) == (18, Mood.CALM, False, [])


@pytest.mark.parametrize(
    "schema", [{}, {"type": "object"}, {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}]
)
def test_a_schema_without_fields_gives_nothing(schema: dict[str, Any]) -> None:
    assert output_arguments(schema, "x", []) == {}


def test_a_fixed_value_and_a_nested_definition_are_filled_in() -> None:
    kind = {"$ref": "#/$defs/a/b"}
    schema = {"type": "object", "required": ["kind", "of"], "properties": {"kind": {"const": "x"}, "of": kind}}
    assert output_arguments(schema | {"$defs": {"b": {"const": 7}}}, "It is.", []) == {"kind": "x", "of": 7}


@pytest.mark.parametrize(
    ("tools", "calls"),
    [
        (ALL, [("list_files", {}), ("search_files", {"query": "whale", "limit": 10})]),
        ((ToolSpec("list_bookings", "", {"properties": {}}),), [("list_bookings", {})]),
    ],
)
async def test_a_plan_has_all_steps_that_can_be_taken_together(tools: Any, calls: Any) -> None:
    made = ModelRequest("Be brief.", (UserMessage("Find a whale"),), (spec("make_plan"),), 1, step_tools=tools)
    answer = await DemoModel().answer(made)
    steps = [
        {"name": f"{at}-{tool}", "tool": tool, "arguments": arguments, "depends_on": [], "on_failure": "continue"}
        for at, (tool, arguments) in enumerate(calls, 1)
    ]
    assert answer.calls == (Call("make_plan", {"steps": steps}),)
    assert (answer.input_tokens, answer.output_tokens > len(steps)) == (5, True)


@pytest.mark.parametrize("more", [0, 1])
async def test_a_report_s_title_is_the_question_cut_at_its_limit(more: int) -> None:
    question, hit = "whale " + "o" * (74 + more), {"path": "a.md", "line": 1, "text": "The whale was here."}
    read = ("read_file", {"path": "a.md"}, {"path": "a.md", "text": "The whale was here for many years."})
    counted = ("count_words", {"path": "a.md"}, {"path": "a.md", "words": 7})
    results = past(LISTED, ("search_files", {"query": "whale"}, {"hits": [hit]}), read, counted)
    answer = await request(UserMessage(question), *results)
    (report,) = [call for call in answer.calls if call.tool == "write_report"]
    assert report.arguments["title"] == (f"{question[:79]}…" if more else question)


OUTPUT = ToolSpec("final_result", "The answer.", Report.model_json_schema())


async def test_a_tool_that_needs_nothing_is_called_once() -> None:
    """Its result is the answer; a tool that the model cannot use is not denied."""
    spec = ToolSpec("list_bookings", "List.", {"type": "object", "properties": {}})
    task = UserMessage("List the bookings.")
    answer = await DemoModel().answer(ModelRequest("", (task,), (spec,), 1))
    assert [(call.tool, call.arguments) for call in answer.calls] == [("list_bookings", {})]
    past = ModelMessage(answer.text, (PastCall("c0", "list_bookings", {}),))
    found = ToolMessage("c0", "list_bookings", ["R-1"], is_error=False)
    again = await DemoModel().answer(ModelRequest("", (task, past, found), (spec,), 2))
    assert (again.calls, again.text) == ((), 'list_bookings: ["R-1"]')


async def test_the_final_answer_is_a_call_of_the_final_tool() -> None:
    answer = await DemoModel().answer(ModelRequest("", (UserMessage("Who kept the light?"),), (), 1, output=OUTPUT))
    (call,) = answer.calls
    assert (call.tool, answer.text) == ("final_result", "")
    assert "I was given no tool" in call.arguments["summary"]


async def test_an_answer_that_did_not_fit_is_not_given_again() -> None:
    """It would not fit the second time, and the job would go on to its limits."""
    call = PastCall("c0", "final_result", {})
    fault = ToolMessage("c0", "final_result", {"type": "invalid_output", "message": "no"}, is_error=True)
    found = (UserMessage("Who?"), ModelMessage("", (call,)), fault)
    with pytest.raises(ModelError, match="no other answer of the form that is asked for: final_result: no") as caught:
        await DemoModel().answer(ModelRequest("", found, (), 2, output=OUTPUT))
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("question", "results", "tools", "said"),
    [
        pytest.param("whale", [], (ALL[2],), ["nothing about whale in the files."], id="a reader alone"),
        pytest.param("whale", [NO_HITS, NO_ENTRIES], (ALL[1], RECALL), ["I found nothing"], id="memory and a search"),
        pytest.param("whale", [LISTED, NO_HITS], ALL, ["nothing about whale", "clocks.md and oil.md"], id="no hits"),
        pytest.param("", [LISTED], ALL, ["no question", "oil.md"], id="an empty question"),
        pytest.param("whale oil", [], (), ["I was given no tool"], id="no tools"),
    ],
)
async def test_where_it_cannot_look_it_says_so(
    question: str, results: list[Result], tools: tuple[ToolSpec, ...], said: list[str]
) -> None:
    """It neither reads at random nor writes an empty report."""
    answer = await request(UserMessage(question), *past(*results), tools=tools)
    assert answer.calls == ()
    assert all(text in answer.text for text in said)
