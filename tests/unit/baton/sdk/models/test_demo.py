"""The demo model's steps, one turn at a time: with files, with memory, and in the form that an agent asks for."""

from enum import StrEnum
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from baton.sdk.memory.entries import Recalled, Recollection, as_prompt
from baton.sdk.models.demo import DemoModel
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
from baton.sdk.tools.tool import tool

Result = tuple[str, dict[str, Any], Any]
TEXT = """# Lamps

The keeper lit the lamp at sunset every day.

- Whale oil was burned in 1790 by *many* stations along the coast.
- The weather was often bad on this coast.
"""
QUOTED = "Whale oil was burned in 1790 by many stations along the coast."
LISTED: Result = ("list_files", {}, {"files": [{"path": "clocks.md"}, {"path": "oil.md"}]})
NO_HITS: Result = ("search_files", {"query": "whale"}, {"hits": [], "files": {}})
HITS: Result = ("search_files", {"query": "whale"}, {"hits": [], "files": {"clocks.md": 1, "oil.md": 3}})
READ: Result = ("read_file", {"path": "oil.md"}, {"path": "oil.md", "text": TEXT})
DAY_MS = 1_767_225_600_000  # 2026-01-01


def spec(name: str, *arguments: str) -> ToolSpec:
    required = [argument for argument in arguments if argument not in {"limit", "max_chars"}]
    return ToolSpec(name, "", {"properties": {argument: {} for argument in arguments}, "required": required})


FILES = (
    spec("list_files"),
    spec("search_files", "query", "limit"),
    spec("read_file", "path", "max_chars"),
    spec("count_words", "path"),
    spec("write_report", "title", "text", "sources"),
)
MEMORY = (spec("remember", "text"), spec("recall", "query", "limit"))


async def request(*messages: Message, tools: tuple[ToolSpec, ...] = FILES, **more: Any) -> ModelAnswer:
    return await DemoModel().answer(ModelRequest("Be brief.", messages, tools, turn=1, **more))


def past(*results: Result) -> list[Message]:
    """Earlier calls with their results; an exception as result is an error."""
    messages: list[Message] = []
    for number, (name, arguments, content) in enumerate(results):
        failed = isinstance(content, Exception)
        messages.append(ModelMessage("", (PastCall(f"c{number}", name, arguments),)))
        messages.append(ToolMessage(f"c{number}", name, str(content) if failed else content, is_error=failed))
    return messages


def calls_of(answer: ModelAnswer) -> list[tuple[str, dict[str, Any]]]:
    return [(call.tool, call.arguments) for call in answer.calls]


async def test_it_lists_searches_reads_counts_reports_and_answers() -> None:
    """It quotes word for word, without markup, and reads the files with most hits first."""
    task, done = UserMessage("When was whale oil burned?"), [LISTED]
    assert calls_of(await request(task)) == [("list_files", {})]
    searches = await request(task, *past(*done))
    assert [arguments["query"] for _, arguments in calls_of(searches)] == ["whale", "oil", "burned"]
    done += [HITS]
    assert [arguments["path"] for _, arguments in calls_of(await request(task, *past(*done)))] == [
        "oil.md",
        "clocks.md",
    ]
    done += [READ]
    assert calls_of(await request(task, *past(*done))) == [("count_words", {"path": "oil.md"})]
    done += [("count_words", {"path": "oil.md"}, {"path": "oil.md", "words": 27})]
    ((name, report),) = calls_of(await request(task, *past(*done)))
    assert (name, report["title"], report["sources"]) == ("write_report", task.text, ["oil.md"])
    assert f"> {QUOTED}" in report["text"]
    done += [("write_report", report, {"path": "when.md"})]
    answer = await request(task, *past(*done))
    assert answer.text == f"{QUOTED} [oil.md]\n\nSources: oil.md (27 words).\n\nReport: when.md"


async def test_what_failed_is_reported_in_short_and_the_rest_goes_on() -> None:
    """Under whatever name a tool takes its text; what an earlier task of the session did is over."""
    task = UserMessage("whale oil")
    failed = past(LISTED, ("search_files", {"query": "whale"}, RuntimeError("index broken\n" + "x" * 500)))
    assert [arguments["path"] for _, arguments in calls_of(await request(task, *failed))] == ["clocks.md", "oil.md"]
    answer = await request(task, *failed, *past(READ), tools=FILES[:3])
    assert answer.text.startswith(f"{QUOTED} [oil.md]")
    assert "search_files: index broken xxx" in answer.text
    assert len(answer.text) < 400
    renamed = (spec("search_files", "pattern"),)
    assert calls_of(await request(UserMessage("old"), *past(HITS), task, tools=renamed))[0][1] == {"pattern": "whale"}


@pytest.mark.parametrize("name", [*(each.name for each in (*FILES, *MEMORY)), "other"])
@pytest.mark.parametrize(
    "content", [None, 3, True, "", [], {}, [[1]], {"files": {"a": "b"}}, {"hits": "x"}, {"entries": [3]}]
)
async def test_no_result_whatever_its_form_is_an_error(name: str, content: Any) -> None:
    assert await request(UserMessage("whale"), *past((name, {"path": "a.md"}, content)), tools=(*FILES, *MEMORY))


@given(st.text(max_size=60), st.text(max_size=120))
async def test_any_text_is_a_question_and_every_quote_stands_in_its_file(question: str, text: str) -> None:
    answer = await request(UserMessage(question), *past(("read_file", {"path": "a.md"}, {"text": text})), tools=())
    quoted = answer.text.partition(" [a.md]")[0] if " [a.md]" in answer.text else ""
    assert set(quoted) <= set(text) | {" "}


@pytest.mark.parametrize(
    ("task", "kept"),
    [("Remember that it rains.", "it rains."), ("please remember: the code is 7", "the code is 7"), ("Notes?", "")],
)
async def test_an_order_to_remember_begins_with_the_keyword(task: str, kept: str) -> None:
    calls = calls_of(await request(UserMessage(task), tools=MEMORY[:1]))
    assert calls == ([("remember", {"text": kept})] if kept else [])
    if kept:
        done = past(("remember", {"text": kept}, {"remembered": True, "note": "only here"}))
        answer = await request(UserMessage(task), *done, tools=MEMORY[:1])
        assert answer.text == f"I will remember: {kept} (only here)"


async def test_it_recalls_only_what_it_was_not_given() -> None:
    """Of an earlier question its answer, without the sources that it names."""
    task, said = UserMessage("When does the tide turn?"), "On this coast the tide turns at six."
    entry = MemoryEntry("e", "note", f"Asked: When?\nAnswered: {said} [a.md]", "s1", "a", "j", DAY_MS)
    note = UserMessage(as_prompt(Recollection("s1", (Recalled(entry),)).recorded(100_000)), note=True)
    given = await request(note, task, tools=MEMORY)
    assert (given.text, given.calls) == (f"{said} [this conversation, 2026-01-01]", ())
    assert [name for name, _ in calls_of(await request(task, tools=MEMORY))] == ["recall"]
    found = {"entries": [{"text": said, "createdAt": "2026-01-01T00:00:00.000Z"}]}
    for content, answer in ((found, f"{said} [memory, 2026-01-01]"), ({"entries": []}, "nothing about tide, turn.")):
        assert answer in (await request(task, *past(("recall", {"query": "q"}, content)), tools=MEMORY)).text


@tool
def price(item: Literal["lamp", "storm lens", "oil"]) -> int:
    """Look a price up."""
    return len(item)


PRICE = ToolSpec(price.name, price.description, price.parameters)
PRICED = ("price", {"item": "storm lens"})
AGENTS = (spec("a", "task"), spec("b", "task"))


@pytest.mark.parametrize(
    ("task", "tools", "calls"),
    [
        ("Who? How? Where?", AGENTS, [("a", {"task": "Who? Where?"}), ("b", {"task": "How?"})]),
        ("Who did it?", AGENTS, [("a", {"task": "Who did it?"}), ("b", {"task": "Who did it?"})]),
        ("What do storm lenses and lamps cost?", (PRICE,), [("price", {"item": "lamp"}), PRICED]),
        ("List the bookings.", (spec("list_bookings"),), [("list_bookings", {})]),
        ("Fetch x now?", (spec("fetch", "url"), spec("wait", "event", "task")), []),
        (" ", AGENTS, []),
    ],
)  # fmt: skip
async def test_other_tools_are_used_by_their_form(task: str, tools: tuple[ToolSpec, ...], calls: Any) -> None:
    """Agents share the sentences of a task; a choice is made for each that it names. Once: results are the answer."""
    assert calls_of(await request(UserMessage(task), tools=tools)) == calls
    results = [(name, arguments, 20) for name, arguments in calls]
    assert calls_of(await request(UserMessage(task), *past(*results), tools=tools)) == []


async def test_results_of_other_tools_are_the_answer() -> None:
    results = past(("price", {"item": "lamp"}, 20), ("helper", {"task": "How?"}, "So."))
    answer = await request(UserMessage("What is a lamp? How?"), *results, tools=(PRICE, spec("helper", "task")))
    assert answer.text == "price lamp: 20\n\nhelper: So."


async def test_a_plan_has_the_next_steps_and_its_results_count() -> None:
    task, planner = UserMessage("whale"), (spec("make_plan"),)
    (call,) = (await request(task, tools=planner, step_tools=FILES)).calls
    steps = [{"name": "step-0", "tool": "list_files", "arguments": {}, "on_failure": "continue"}]
    assert call == Call("make_plan", {"steps": steps})
    done = past(("make_plan", {"steps": steps}, {"step-0": {"ok": LISTED[2]}}))
    (call,) = (await request(task, *done, tools=planner, step_tools=FILES)).calls
    assert [step["tool"] for step in call.arguments["steps"]] == ["search_files"]
    refused = past(("make_plan", {"steps": steps}, RuntimeError("no further plan")))
    assert (await request(task, *refused, tools=planner, step_tools=FILES)).calls == ()


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
    kind: Literal["x"]
    others: list[Author]
    note: str = "none"


OUTPUT = ToolSpec("final_result", "The answer.", Report.model_json_schema())


async def test_the_final_answer_has_the_form_that_is_asked_for() -> None:
    """Each required field has a value of its type."""
    answer = await request(UserMessage("whale oil"), *past(READ), tools=(), output=OUTPUT)
    (call,) = answer.calls
    assert (call.tool, answer.text, "note" in call.arguments) == ("final_result", "", False)
    report = Report.model_validate(call.arguments)
    assert (report.summary, report.sources, report.title) == (f"{QUOTED} [oil.md]", ["oil.md"], report.summary)
    assert (report.author.age, report.mood, report.certain, report.others) == (18, Mood.CALM, False, [])
    shared = {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}
    for schema in ({}, {"type": "object"}, shared):
        (call,) = (await request(UserMessage("whale"), tools=(), output=ToolSpec("out", "", schema))).calls
        assert call.arguments == {}


async def test_an_answer_that_did_not_fit_is_not_given_again() -> None:
    """It would not fit the second time, and the job would go on to its limits."""
    fault = past(("final_result", {}, RuntimeError("no")))
    with pytest.raises(ModelError, match="no other answer of the form that is asked for: final_result: no") as caught:
        await request(UserMessage("Who?"), *fault, tools=(), output=OUTPUT)
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("results", "tools", "said"),
    [
        ([], FILES[2:3], "I found nothing about whale in the files."),
        ([NO_HITS], FILES[1:2], "I found nothing about whale in the files."),
        ([], (), "I have no tool to look up whale."),
    ],
)
async def test_where_it_cannot_look_it_says_so(results: list[Result], tools: tuple[ToolSpec, ...], said: str) -> None:
    """It neither reads at random nor writes an empty report."""
    answer = await request(UserMessage("whale"), *past(*results), tools=tools)
    assert (answer.calls, answer.text) == ((), said)
