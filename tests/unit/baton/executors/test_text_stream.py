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
from baton.executors.text_stream import Batching, TextStream
from baton.sdk.redaction import KnownSecrets
from baton_events.errors import StoreError

SECRET = "sk-0123456789"
AT_ONCE = Batching(ms=0, size_bytes=1)
RARELY = Batching(ms=60_000, size_bytes=10)


class Stream:
    def __init__(self, fails: Sequence[bool] = (), *, applies: bool = False) -> None:
        self.parts: list[dict[str, Any]] = []
        self.requests: list[tuple[int, tuple[str, ...], str]] = []
        self.held = True
        self.appended = 0
        self._fails, self._applies = list(fails), applies

    async def append(self, sequence: int, parts: Sequence[str], text_id: str) -> bool:
        self.requests.append((sequence, tuple(parts), text_id))
        fails = bool(self._fails) and self._fails.pop(0)
        if self.held and sequence == self.appended + 1 and (not fails or self._applies):
            self.appended = sequence
            self.parts += [json.loads(part) for part in parts]
        if fails:
            raise StoreError("no answer")
        return self.held

    @property
    def text(self) -> str:
        return "".join(part["delta"] for part in self.parts if part["type"] == "text-delta")

    @property
    def types(self) -> list[str]:
        return [part["type"] for part in self.parts]


def text_stream_to(
    stream: Stream, batching: Batching = AT_ONCE, secrets: Sequence[str] = (), turn: int = 1
) -> TextStream:
    return TextStream(stream.append, turn, f"text-{turn}-1-x", KnownSecrets(secrets), batching)


async def test_the_first_words_come_at_once_and_the_rest_in_batches() -> None:
    stream = Stream()
    text_stream = text_stream_to(stream, RARELY)
    for word in ["I ", "look ", "at ", "the ", "files ", "now"]:
        await text_stream.write(word)
    assert [part["delta"] for part in stream.parts if part["type"] == "text-delta"] == ["I ", "look at the "]
    assert stream.types == ["start-step", "text-start", "text-delta", "text-delta"]
    assert {part["id"] for part in stream.parts if "id" in part} == {"text-1-1-x.1"}
    assert await text_stream.streamed_text() == StreamedText("text-1-1-x.1", 2, "I look at the ")


async def test_a_batch_is_due_after_some_time() -> None:
    stream = Stream()
    text_stream = text_stream_to(stream, Batching(ms=1, size_bytes=1_000))
    await text_stream.write("a")
    await asyncio.sleep(0.002)
    await text_stream.write("b")
    assert stream.text == "ab"


async def test_a_later_turn_ends_the_step_before_it() -> None:
    stream = Stream()
    await text_stream_to(stream, turn=2).write("a")
    assert stream.types == ["finish-step", "start-step", "text-start", "text-delta"]


@pytest.mark.parametrize("applies", [True, False])
async def test_an_append_that_is_not_answered_is_sent_again_as_it_was(applies: bool) -> None:
    """Before anything else: so nothing is lost, doubled or out of order."""
    stream = Stream([False, True, True], applies=applies)
    text_stream = text_stream_to(stream)
    for word in ["a", "b", "c", "d"]:
        await text_stream.write(word)
    streamed_text = await text_stream.streamed_text()
    assert stream.requests[1] == stream.requests[2] == stream.requests[3]
    assert streamed_text is not None
    assert streamed_text.text == stream.text == "ab"
    assert streamed_text.appended == stream.appended == 2
    await text_stream.write("e")
    assert stream.text == "abcde"


async def test_the_last_append_is_confirmed_before_the_turn_is_over() -> None:
    stream = Stream([False, True], applies=True)
    text_stream = text_stream_to(stream)
    await text_stream.write("a")
    await text_stream.write("b")
    assert await text_stream.streamed_text() == StreamedText("text-1-1-x.1", 2, "ab")
    assert stream.text == "ab"


async def test_a_store_that_does_not_answer_is_left_alone() -> None:
    stream = Stream([False, True, True, True])
    text_stream = text_stream_to(stream)
    for _ in range(9):
        await text_stream.write("a")
    assert len(stream.requests) == 4
    assert await text_stream.streamed_text() == StreamedText("text-1-1-x.1", 1, "a")
    assert len(stream.requests) == 4


async def test_who_lost_the_item_says_no_more() -> None:
    stream = Stream()
    text_stream = text_stream_to(stream)
    await text_stream.write("a")
    stream.held = False
    await text_stream.write("b")
    await text_stream.write("c")
    assert (stream.text, len(stream.requests)) == ("a", 2)


async def test_nothing_shown_is_nothing_streamed_text() -> None:
    assert await text_stream_to(Stream()).streamed_text() is None
    silent = text_stream_to(Stream([True, True]))
    await silent.write("a")
    assert await silent.streamed_text() is None


async def test_what_is_withdrawn_is_closed_and_named_before_the_next_text() -> None:
    stream = Stream()
    text_stream = text_stream_to(stream)
    await text_stream.write("The ans")
    await text_stream.withdrawn()
    assert await text_stream.streamed_text() is None
    await text_stream.write("An answer")
    assert stream.types == [
        "start-step",
        "text-start",
        "text-delta",
        "text-end",
        "data-retry",
        "finish-step",
        "start-step",
        "text-start",
        "text-delta",
    ]
    assert stream.parts[4]["data"] == {"textId": "text-1-1-x.1"}
    assert await text_stream.streamed_text() == StreamedText("text-1-1-x.2", 2, "An answer")


async def test_what_was_not_answered_before_a_withdrawal_is_settled_first() -> None:
    """Its batch may be there: it is sent again, then closed."""
    stream = Stream([True], applies=True)
    text_stream = text_stream_to(stream)
    await text_stream.write("old")
    await text_stream.withdrawn()
    await text_stream.write("new")
    await text_stream.write(" text")
    assert stream.types.count("data-retry") == 1
    assert [part["delta"] for part in stream.parts if part.get("id") == "text-1-1-x.2" and "delta" in part] == [
        "new text"
    ]


@given(
    text=st.lists(st.sampled_from([SECRET, SECRET[:7], "token", "a ", "é", "\ud800"]), max_size=8).map("".join),
    cuts=st.lists(st.integers(0, 60), max_size=12),
)
async def test_no_secret_is_shown_however_it_is_cut(text: str, cuts: list[int]) -> None:
    stream = Stream()
    secrets = KnownSecrets([SECRET, f"{SECRET}-longer"])
    text_stream = TextStream(stream.append, 1, "t", secrets, AT_ONCE)
    edges = sorted({0, *(min(cut, len(text)) for cut in cuts), len(text)})
    for start, end in itertools.pairwise(edges):
        await text_stream.write(text[start:end])
    whole = secrets.hide(text.encode("utf-8", "replace").decode())
    assert whole.startswith(stream.text)
    assert len(whole) - len(stream.text) < len(SECRET) + len("-longer")
