"""Whatever the order of asking, answering, failing, cancelling and closing: each asker ends, and rightly."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from baton.store.transport.batching import Batcher, Bounds
from tests.unit.baton.store.transport.batching_wire import settled

BOUNDS = Bounds(requests=2, entries=4, size_bytes=10, seconds=60)


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that happens; `which` picks among what there is."""

    kind: Literal["ask", "answer", "refuse", "fail", "cancel", "rest"]
    which: int
    entries: int
    size_bytes: int


ACTS = st.lists(
    st.builds(
        Act,
        st.sampled_from(["ask", "ask", "ask", "answer", "refuse", "fail", "cancel", "rest"]),
        st.integers(0, 9),
        st.integers(1, 6),
        st.integers(1, 12),
    ),
    max_size=40,
)


class Play:
    def __init__(self) -> None:
        self.batcher = Batcher[int, int](self.send, BOUNDS)
        self.callers: dict[int, asyncio.Task[int]] = {}
        self.requested: dict[int, Act] = {}
        self.sent: list[int] = []
        self.held: list[bool] = []  # what is to be so of each request
        self.harmed: set[int] = set()  # refused, or in a request that failed
        self.cancelled: set[int] = set()
        self.under_way: dict[tuple[int, ...], asyncio.Future[Sequence[int | Exception]]] = {}

    async def send(self, requests: list[int]) -> Sequence[int | Exception]:
        """One request, held until it is told what to answer."""
        acts = [self.requested[ask] for ask in requests]
        alone = len(requests) == 1
        self.held += [
            requests == sorted(requests),
            alone or sum(act.entries for act in acts) <= BOUNDS.entries,
            alone or sum(act.size_bytes for act in acts) <= BOUNDS.size_bytes,
            len(self.under_way) < BOUNDS.requests,
            not self.cancelled & set(requests),
        ]
        self.sent += requests
        key = tuple(requests)
        self.under_way[key] = asyncio.get_running_loop().create_future()
        try:
            return await self.under_way[key]
        finally:
            del self.under_way[key]

    async def act(self, act: Act) -> None:
        if act.kind == "ask":
            number = len(self.requested) + 1
            self.requested[number] = act
            self.callers[number] = asyncio.ensure_future(self.batcher.send(number, act.entries, act.size_bytes))
            return
        if act.kind == "cancel" and self.callers:
            chosen = sorted(self.callers)[act.which % len(self.callers)]
            if self.callers[chosen].cancel():
                self.cancelled.add(chosen)
        elif act.kind in ("answer", "refuse", "fail") and self.under_way:
            self.come_back(sorted(self.under_way)[act.which % len(self.under_way)], act)
        await settled()

    def come_back(self, requests: tuple[int, ...], act: Act) -> None:
        answers: list[int | Exception] = [-ask for ask in requests]
        if act.kind == "refuse":
            refused = act.which % len(requests)
            answers[refused] = LookupError(requests[refused])
            self.harmed.add(requests[refused])
        if act.kind == "fail":
            self.harmed.update(requests)
            self.under_way[requests].set_exception(OSError("cut"))
        else:
            self.under_way[requests].set_result(answers)

    async def end(self) -> None:
        await settled()
        while self.under_way:
            self.come_back(min(self.under_way), Act("answer", 0, 1, 1))
            await settled()


async def played(acts: Sequence[Act], *, close: bool) -> None:
    play = Play()
    for act in acts:
        await play.act(act)
    if close:
        await play.batcher.close()
    await play.end()
    assert all(caller.done() for caller in play.callers.values()), "an asker hangs"
    assert all(play.held), "in order, within the bounds, and for somebody who waits"
    assert len(play.sent) == len(set(play.sent)), "an ask was sent twice"
    for number, caller in play.callers.items():
        if number in play.cancelled:
            assert caller.cancelled()
        elif (error := caller.exception()) is None:
            assert caller.result() == -number
        else:
            assert number in play.harmed or (close and isinstance(error, ConnectionAbortedError)), error


@settings(max_examples=150, deadline=None)
@given(ACTS, st.booleans())
def test_each_caller_ends_with_its_own_answer_or_its_own_trouble(acts: list[Act], close: bool) -> None:
    """None hangs, none is sent twice or after it was cancelled, and the bounds hold."""
    asyncio.run(played(acts, close=close))
