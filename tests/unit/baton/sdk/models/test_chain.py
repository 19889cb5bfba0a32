"""Several models in a row."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from baton.sdk.models.chain import ModelChain
from baton.sdk.models.model import Model, ModelAnswer, ModelError, ModelRequest, Spent, takes_file
from baton.sdk.models.scripted import ScriptedModel
from tests.fakes.listener import FakeListener

REQUEST = ModelRequest("i", (), (), 1)


@dataclass
class Stub:
    name: str
    outcome: str | Exception = "answer"
    reads_history: bool = False
    hangs: bool = False
    takes_files: tuple[str, ...] = ()
    requested: list[ModelRequest] = field(default_factory=list)

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        self.requested.append(request)
        if self.hangs:
            await asyncio.Event().wait()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return ModelAnswer(self.outcome)


def passing(message: str, seconds: float | None = None) -> ModelError:
    return ModelError(message, retryable=True, retry_after_seconds=seconds)


async def failure_of(models: Sequence[Stub]) -> ModelError:
    with pytest.raises(ModelError) as caught:
        await ModelChain(models).answer(REQUEST)
    return caught.value


@pytest.mark.parametrize("failure", [passing("429"), ValueError("bug"), TimeoutError()])
async def test_the_next_one_answers_where_the_one_before_cannot_right_now(failure: Exception) -> None:
    """In the same turn, with the same question; those behind are not asked."""
    first, second, third = Stub("a", failure), Stub("b", "from b"), Stub("c")
    assert (await ModelChain([first, second, third]).answer(REQUEST)).text == "from b"
    assert (first.requested, second.requested, third.requested) == ([REQUEST], [REQUEST], [])


async def test_what_is_refused_for_good_is_not_asked_elsewhere() -> None:
    second = Stub("b")
    error = await failure_of([Stub("a", ModelError("no such model", retryable=False)), second])
    assert (error.message, error.retryable, second.requested) == ("no such model", False, [])


async def test_when_all_fail_all_are_named_and_the_soonest_time_counts() -> None:
    """Any of them will do; where the last one refuses for good, the first one may still answer later."""
    error = await failure_of([Stub("a", passing("429", 30)), Stub("b", passing("503", 10)), Stub("c", ValueError("x"))])
    assert error.message == "no model of the chain answered: a: 429; b: 503; c: ValueError: x"
    assert (error.retryable, error.retry_after_seconds) == (True, None)
    error = await failure_of([Stub("a", passing("429", 30)), Stub("b", passing("503", 10))])
    assert error.retry_after_seconds == 10
    error = await failure_of([Stub("a", passing("429", 30)), Stub("b", ModelError("no key", retryable=False))])
    assert (error.retryable, error.retry_after_seconds) == (True, 30)


async def test_one_that_hangs_leaves_the_others_their_share_of_the_time() -> None:
    first, second = Stub("a", hangs=True), Stub("b", "from b")
    request = ModelRequest("i", (), (), 1, time_limit_seconds=1.0)
    assert (await ModelChain([first, second]).answer(request)).text == "from b"
    shares = [requested.time_limit_seconds or 0 for requested in (*first.requested, *second.requested)]
    assert 0 < shares[0] <= 0.5
    assert 0 < shares[1] <= 0.5


async def test_a_chain_says_what_failed_and_was_used_before_its_caller_s_time_is_over() -> None:
    spent, second = Spent(1, 10, 5, 0.5), Stub("b", hangs=True)
    chain = ModelChain([Stub("a", ModelError("empty", retryable=True, spent=spent)), second])
    with pytest.raises(ModelError, match=r"a: empty; b: no answer within 0\.\d+ s") as caught:
        await chain.answer(ModelRequest("i", (), (), 1, time_limit_seconds=0.3))
    assert caught.value.spent == spent
    assert (second.requested[0].time_limit_seconds or 1) < 0.295


async def test_a_chain_counts_the_answers_that_it_does_not_take() -> None:
    refusing = Stub("a", ModelError("empty", retryable=True, spent=Spent(1, 7, 3, 0.5)))
    assert (await ModelChain([refusing, Stub("b")]).answer(REQUEST)).spent_before == Spent(1, 7, 3, 0.5)
    assert (await failure_of([refusing, refusing])).spent == Spent(2, 14, 6, 1.0)


async def test_cancelling_the_turn_cancels_the_model() -> None:
    second = Stub("b")
    turn = asyncio.ensure_future(ModelChain([Stub("a", hangs=True), second]).answer(REQUEST))
    await asyncio.sleep(0)
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    assert second.requested == []


def test_a_chain_is_a_model_with_the_names_of_its_members() -> None:
    """It reads history if one of them does, and takes the files that all of them take: any may answer."""
    chain = ModelChain([Stub("a", takes_files=("image/*",)), Stub("b", reads_history=True, takes_files=("*/*",))])
    assert isinstance(chain, Model)
    assert (chain.name, chain.reads_history) == ("a, b", True)
    assert not ModelChain([Stub("a")]).reads_history
    assert (takes_file(chain, "image/png"), takes_file(chain, "audio/mp3")) == (True, False)


async def test_what_a_model_streamed_before_it_failed_is_withdrawn() -> None:
    class Breaking:
        name, reads_history = "breaking", False

        async def answer(self, request: ModelRequest) -> ModelAnswer:
            assert request.listener is not None
            await request.listener.write("The ans")
            raise passing("connection lost")

    listener = FakeListener()
    chain = ModelChain([Breaking(), ScriptedModel(["It is 42."], pause_seconds=0.001)])
    answer = await chain.answer(ModelRequest("i", (), (), 1, listener=listener))
    assert (answer.text, listener.text, listener.withdrawals) == ("It is 42.", "It is 42.", 1)
