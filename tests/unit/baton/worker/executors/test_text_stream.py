"""What a model says, appended while it says it: batches, secrets, a store that does not answer, another beginning."""

import asyncio
import itertools
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton.engine.step_results import StreamedText
from baton.sdk.records.redaction import KnownSecrets
from baton.worker.executors.text_stream import Batching, TextStream
from baton_events.errors import StoreError
from baton_events.values.text import storable

SECRET = "sk-0123456789"
AT_ONCE = Batching(ms=0, size_bytes=1)
RARELY = Batching(ms=60_000, size_bytes=10)


class Stream:
    """A job's parts as one claim appends to them, and a talk of the first attempt.

    `fails`: requests that are not answered; `applies`: but done.
    """

    def __init__(
        self,
        *fails: bool,
        applies: bool = False,
        batching: Batching = AT_ONCE,
        turn: int = 1,
        secrets: tuple[str, ...] = (),
    ) -> None:
        self.parts: list[dict[str, Any]] = []
        self.requests: list[tuple[int, tuple[str, ...], str]] = []
        self.held = True
        self.appended = 0
        self._fails, self._applies = list(fails), applies
        self.talk = TextStream(self.append, turn, f"text-{turn}-1-x", KnownSecrets(secrets), batching)

    async def append(self, sequence: int, parts: Sequence[str], text_id: str) -> bool:
        self.requests.append((sequence, tuple(parts), text_id))
        fails = bool(self._fails) and self._fails.pop(0)
        if self.held and sequence == self.appended + 1 and (not fails or self._applies):
            self.appended = sequence
            self.parts += [json.loads(part) for part in parts]
        if fails:
            raise StoreError("no answer")
        return self.held

    async def says(self, *words: str) -> None:
        for word in words:
            await self.talk.write(word)

    @property
    def deltas(self) -> list[str]:
        return [part["delta"] for part in self.parts if part["type"] == "text-delta"]

    @property
    def types(self) -> list[str]:
        return [part["type"] for part in self.parts]


async def test_the_first_words_come_at_once_and_the_rest_in_batches() -> None:
    """By size here; what is not due comes with the turn. A later turn ends the step before it."""
    stream = Stream(batching=RARELY)
    await stream.says("I ", "look ", "at ", "the ", "files ", "now")
    assert stream.deltas == ["I ", "look at the "]
    assert stream.types == ["start-step", "text-start", "text-delta", "text-delta"]
    assert {part["id"] for part in stream.parts if "id" in part} == {"text-1-1-x.1"}
    assert await stream.talk.streamed_text() == StreamedText("text-1-1-x.1", 2, "I look at the ")
    later = Stream(turn=2)
    await later.says("a")
    assert later.types == ["finish-step", "start-step", "text-start", "text-delta"]


async def test_a_batch_is_due_at_its_size() -> None:
    stream = Stream(batching=RARELY)
    await stream.says("a", "123456789", "0", "b")
    assert stream.deltas == ["a", "1234567890"]


async def test_a_batch_is_due_after_some_time() -> None:
    stream = Stream(batching=Batching(ms=1, size_bytes=1_000))
    await stream.says("a")
    await asyncio.sleep(0.002)
    await stream.says("b")
    assert stream.deltas == ["a", "b"]


@pytest.mark.parametrize("applies", [True, False])
async def test_an_append_that_is_not_answered_is_sent_again_as_it_was(applies: bool) -> None:
    """Before anything else: so nothing is lost, doubled or out of order."""
    stream = Stream(False, True, True, applies=applies)
    await stream.says("a", "b", "c", "d")
    assert await stream.talk.streamed_text() == StreamedText("text-1-1-x.1", 2, "ab")
    assert stream.requests[1] == stream.requests[2] == stream.requests[3]
    assert (stream.appended, stream.deltas) == (2, ["a", "b"])
    await stream.says("e")
    assert "".join(stream.deltas) == "abcde"


async def test_the_last_append_is_confirmed_before_the_turn_is_over() -> None:
    """So that the COMMIT knows what is there."""
    stream = Stream(False, True, applies=True)
    await stream.says("a", "b")
    assert await stream.talk.streamed_text() == StreamedText("text-1-1-x.1", 2, "ab")
    assert stream.deltas == ["a", "b"]


async def test_a_store_that_does_not_answer_is_left_alone() -> None:
    stream = Stream(False, True, True, True)
    await stream.says(*"aaaaaaaaa")
    assert len(stream.requests) == 4
    assert await stream.talk.streamed_text() == StreamedText("text-1-1-x.1", 1, "a")
    assert len(stream.requests) == 4


async def test_who_lost_the_item_says_no_more() -> None:
    stream = Stream()
    await stream.says("a")
    stream.held = False
    await stream.says("b", "c")
    assert (stream.deltas, len(stream.requests)) == (["a"], 2)


async def test_nothing_shown_is_nothing_streamed_text() -> None:
    assert await Stream().talk.streamed_text() is None
    silent = Stream(True, True)
    await silent.says("a")
    assert await silent.talk.streamed_text() is None


async def test_what_is_withdrawn_is_closed_and_named_before_the_next_text() -> None:
    stream = Stream()
    await stream.says("The ans")
    await stream.talk.withdrawn()
    assert await stream.talk.streamed_text() is None
    await stream.says("An answer")
    begun = ["start-step", "text-start", "text-delta"]
    assert stream.types == [*begun, "text-end", "data-retry", "finish-step", *begun]
    assert stream.parts[4]["data"] == {"textId": "text-1-1-x.1"}
    assert await stream.talk.streamed_text() == StreamedText("text-1-1-x.2", 2, "An answer")


async def test_what_was_not_answered_before_a_withdrawal_is_settled_first() -> None:
    stream = Stream(True, applies=True)
    await stream.says("old")
    await stream.talk.withdrawn()
    await stream.says("new", " text")
    assert stream.types.count("data-retry") == 1
    assert [p["delta"] for p in stream.parts if p.get("id") == "text-1-1-x.2" and "delta" in p] == ["new text"]


@given(
    text=st.lists(st.sampled_from([SECRET, SECRET[:7], "token", "a ", "é", "\ud800"]), max_size=8).map("".join),
    cuts=st.lists(st.integers(0, 60), max_size=12),
)
async def test_no_secret_is_shown_however_it_is_cut(text: str, cuts: list[int]) -> None:
    known = (SECRET, f"{SECRET}-longer")
    stream = Stream(secrets=known)
    edges = sorted({0, *(min(cut, len(text)) for cut in cuts), len(text)})
    for start, end in itertools.pairwise(edges):
        await stream.says(text[start:end])
    whole, said = KnownSecrets(known).hide(storable(text)), "".join(stream.deltas)
    assert whole.startswith(said)
    assert len(whole) - len(said) < len(SECRET) + len("-longer")
