"""The demo model's steps, one turn at a time."""

from typing import Any

from baton.models.demo.model import DemoModel
from baton.models.model import (
    Message,
    Model,
    ModelAnswer,
    ModelMessage,
    ModelRequest,
    PastCall,
    ToolMessage,
    ToolSpec,
    UserMessage,
)

PARAMETERS = {
    "list_files": [],
    "search_files": ["query", "limit"],
    "read_file": ["path", "max_chars"],
    "count_words": ["path"],
    "write_report": ["title", "text", "sources"],
}
LISTING = {"files": [{"path": "clocks.md"}, {"path": "oil.md"}]}


def spec(name: str, *arguments: str) -> ToolSpec:
    """A tool as the model sees it."""
    required = [argument for argument in arguments if argument not in {"limit", "max_chars"}]
    return ToolSpec(name, "", {"properties": {argument: {} for argument in arguments}, "required": required})


ALL = tuple(spec(name, *arguments) for name, arguments in PARAMETERS.items())


async def request(*messages: Message, tools: tuple[ToolSpec, ...] = ALL) -> ModelAnswer:
    """One turn."""
    return await DemoModel().answer(ModelRequest("Be brief.", messages, tools, turn=1))


def past(*results: tuple[str, dict[str, Any], Any]) -> list[Message]:
    """Earlier calls with their results; an exception as result is an error."""
    messages: list[Message] = []
    for number, (tool, arguments, content) in enumerate(results):
        failed = isinstance(content, Exception)
        messages.append(ModelMessage("", (PastCall(f"c{number}", tool, arguments),)))
        messages.append(ToolMessage(f"c{number}", tool, str(content) if failed else content, is_error=failed))
    return messages


def test_it_is_a_model_that_reads_history() -> None:
    """Everything it knows comes from the messages."""
    assert isinstance(DemoModel(), Model)
    assert DemoModel.reads_history is True


async def test_it_lists_then_searches_the_words_in_parallel() -> None:
    """The first two turns."""
    question = UserMessage("Which whale oil did keepers burn?")
    assert [call.tool for call in (await request(question)).calls] == ["list_files"]
    calls = (await request(question, *past(("list_files", {}, LISTING)))).calls
    assert [call.tool for call in calls] == ["search_files"] * 4
    assert [call.arguments["query"] for call in calls] == ["whale", "oil", "keeper", "burn"]


async def test_without_hits_it_says_so_and_names_the_files() -> None:
    """It neither reads at random nor writes an empty report."""
    history = past(("list_files", {}, LISTING), ("search_files", {"query": "whale"}, {"hits": [], "files": {}}))
    answer = await request(UserMessage("whale"), *history)
    assert answer.calls == ()
    assert "nothing about whale" in answer.text
    assert "clocks.md and oil.md" in answer.text


async def test_an_empty_question_is_answered_with_what_there_is() -> None:
    """One look at the files, no search."""
    answer = await request(UserMessage(""), *past(("list_files", {}, LISTING)))
    assert answer.calls == ()
    assert "no question" in answer.text
    assert "oil.md" in answer.text


async def test_a_failed_search_is_reported_and_the_files_are_read_all_the_same() -> None:
    """It goes on with what it has."""
    history = past(("list_files", {}, LISTING), ("search_files", {"query": "whale"}, RuntimeError("index broken")))
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


async def test_without_tools_it_says_that_it_cannot_look() -> None:
    """It makes nothing up."""
    answer = await request(UserMessage("whale oil"), tools=())
    assert answer.calls == ()
    assert "no tool to search or read" in answer.text


async def test_a_tool_with_another_argument_name_gets_what_it_needs() -> None:
    """The schema says how the tool calls its first text."""
    answer = await request(UserMessage("whale"), tools=(spec("search_files", "pattern"),))
    assert answer.calls[0].arguments == {"pattern": "whale"}
