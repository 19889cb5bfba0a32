"""`history=` counts what is sent: pictures by their provider's rule. What is left out once, or summed up, stays so."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import cycle, pairwise
from os import urandom
from typing import Any

import pytest

from baton import Agent, Call, DropOldest, KeepAll, Limits, Registry, Summarize, ToolContext, tool
from baton.sdk.models.model import Message, ModelAnswer, ModelMessage, ModelRequest, ToolMessage
from baton.sdk.models.provider_rules import ANTHROPIC, GOOGLE, OPENAI, file_tokens
from baton.testing import Run, Simulation
from baton_events.ids import canonical_json
from tests.unit.baton.kit.listening import Listening
from tests.unit.baton.server.api.client import Api, api_with
from tests.unit.baton.server.api.sessions.chatting import text_of
from tests.unit.baton.server.api.sessions.test_files import asked, file_part

TURNS, PICTURE = 24, b"\x89PNG\r\n\x1a\n"


@tool
async def shot(n: int, ctx: ToolContext, kind: str = "image/png") -> dict[str, Any]:
    """Take a picture."""
    beginning = PICTURE if kind == "image/png" else b"%PDF-" if kind == "application/pdf" else b""
    return {"n": n, "file": await ctx.keep_file(beginning + urandom(2_000), kind, f"s{n}.bin")}


class Seer(Listening):
    """Takes a picture in each turn, and reports as many input tokens as it is told."""

    takes_files = ("image/*", "application/pdf")

    def __init__(self, counts: list[int], kind: str = "image/png", at_once: int = 1, name: str = "seer") -> None:
        super().__init__(self.see)
        self.counts, self.kind, self.at_once, self.name = cycle(counts), kind, at_once, name

    def see(self, request: ModelRequest) -> ModelAnswer:
        if not request.tools:
            self.requests.pop()
            return ModelAnswer("A summary.")
        turn, counted = len(self.requests), next(self.counts)
        counted = int(size_tokens(request.messages)) if counted < 0 else counted
        if turn > TURNS:
            return ModelAnswer("done", input_tokens=counted)
        numbers = range(self.at_once * turn, self.at_once * (turn + 1))
        calls = tuple(Call("shot", {"n": n, "kind": self.kind}) for n in numbers)
        return ModelAnswer("", calls, input_tokens=counted)


async def played(model: Seer, history: Any) -> Run:
    limits = Limits(turns=60, tool_calls=500, tokens=10**9)
    run = await Simulation(Registry([Agent("a", model, tools=[shot], history=history, limits=limits)])).run("a", "Go.")
    assert run.status == "completed", run.error
    return run


def pictures_in(messages: tuple[Message, ...]) -> list[int]:
    results = [one for one in messages if isinstance(one, ToolMessage)]
    return [int(re.sub(r"\D", "", file.filename)) for one in results for file in one.files if file.data]


def turns_in(messages: tuple[Message, ...]) -> list[int]:
    return [call.arguments["n"] for one in messages if isinstance(one, ModelMessage) for call in one.calls]


def size_tokens(messages: tuple[Message, ...]) -> float:
    """Of a request: its texts, four bytes a token, and its pictures."""
    texts = [canonical_json(getattr(one, "content", getattr(one, "text", ""))) for one in messages]
    return sum(map(len, texts)) / 4 + OPENAI.picture_tokens * len(pictures_in(messages))


POLICIES: dict[str, Callable[[int], Any]] = {
    "the newest turns": lambda tokens: DropOldest(max_tokens=tokens),
    "a summary": lambda tokens: Summarize(max_tokens=tokens, keep_turns=2),
}
# What the provider says of its input, in turn: the estimate is corrected by it.
COUNTS = {"nothing": [0], "as it is": [-1], "more, then less": [30_000, 2_000, 500, 60_000, 9_000]}


@pytest.mark.parametrize("counts", COUNTS)
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("tokens", [3_000, 8_000, 20_000])
async def test_all_that_is_sent_fits_and_nothing_comes_back(tokens: int, policy: str, counts: str) -> None:
    """The newest picture is always sent, as long as it fits alone."""
    model = Seer(COUNTS[counts])
    await played(model, POLICIES[policy](tokens))
    for request in model.found if counts == "nothing" else ():
        assert size_tokens(request) <= tokens
    gone_pictures, gone_turns = set[int](), set[int]()
    for before, after in pairwise(model.found):
        gone_pictures |= set(pictures_in(before)) - set(pictures_in(after))
        gone_turns |= set(turns_in(before)) - set(turns_in(after))
        assert not gone_pictures & set(pictures_in(after))
        assert not gone_turns & set(turns_in(after))
        if counts == "nothing":
            assert max(turns_in(after)) in pictures_in(after)
    assert gone_pictures


async def test_pictures_leave_half_of_the_room_to_the_texts() -> None:
    model = Seer([0])
    await played(model, DropOldest(max_tokens=20_000))
    assert len(pictures_in(model.found[-1])) == 10_000 // OPENAI.picture_tokens
    assert len(turns_in(model.found[-1])) == TURNS, "and their results are told, each file by its name"


async def test_the_pictures_of_one_turn_have_to_fit_as_well() -> None:
    model = Seer([0], at_once=9)
    await played(model, DropOldest(max_tokens=8_000))
    assert max(len(pictures_in(one)) for one in model.found) == 4_000 // OPENAI.picture_tokens


async def test_without_a_policy_all_are_sent() -> None:
    model = Seer([0])
    await played(model, KeepAll())
    assert len(pictures_in(model.found[-1])) == TURNS


async def test_other_files_count_and_those_that_are_not_sent_do_not() -> None:
    documents, others = Seer([0], "application/pdf"), Seer([0], "audio/wav")
    await played(documents, DropOldest(max_tokens=20_000))
    assert len(pictures_in(documents.found[-1])) == 9_999 // OPENAI.page_tokens
    await played(others, DropOldest(max_tokens=20_000))
    assert len(turns_in(others.found[-1])) == TURNS


async def test_a_picture_counts_by_the_rule_of_its_provider() -> None:
    for name, rules in (("openai:x", OPENAI), ("anthropic:x", ANTHROPIC), ("google:x", GOOGLE)):
        model = Seer([0], name=name)
        await played(model, DropOldest(max_tokens=20_000))
        assert len(pictures_in(model.found[-1])) == 10_000 // rules.picture_tokens
    kinds = ("image/png", "application/pdf", "audio/mp3", "video/mp4")
    sizes = [file_tokens(GOOGLE, kind, 1_000_000) for kind in kinds]
    assert sizes == [1_120, 11 * 560, 63 * 32, 5 * (258 + 32)]
    assert file_tokens(OPENAI, "text/csv", 4_000) == 1_001


async def test_the_estimate_has_the_pictures() -> None:
    """So a provider that counts them, too, corrects nothing."""
    numbers = list[int]()
    for counts in ([0], [-1]):
        model = Seer(counts)
        await played(model, DropOldest(max_tokens=20_000))
        numbers.append(len(pictures_in(model.found[-1])))
    assert abs(numbers[0] - numbers[1]) <= 1


@asynccontextmanager
async def chat(tokens: int) -> AsyncIterator[tuple[Api, Listening]]:
    model = Listening()
    model.takes_files = ("image/*",)
    agent = Agent("looks", model, history=DropOldest(max_tokens=tokens))
    async with api_with(Registry([agent])) as api:
        yield api, model


async def test_pictures_of_earlier_messages_count_too() -> None:
    """The newest ones first; the message's own always go."""
    async with chat(8_000) as (api, model):
        for number in range(6):
            text = {"type": "text", "text": f"Look at {number}."}
            picture = file_part(PICTURE + urandom(64), filename=f"s{number}.png")
            assert text_of(await asked(api, f"m{number}", text, picture)) == "done"
        files = [file for message in model.found[-1] for file in getattr(message, "files", ())]
        assert [file.filename for file in files] == [f"s{number}.png" for number in range(6)]
        assert [bool(file.data) for file in files] == [False] * 4 + [True] * 2
