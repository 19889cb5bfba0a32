"""What a first turn is told besides its task: whatever was said before, it is within what a turn may read."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from baton import Agent, Memory, Registry, ScriptedModel
from baton.engine.commit.answers import Claim, History
from baton.engine.effects import CallModel
from baton.engine.step_results import ModelAnswered
from baton.sdk.memory.entries import Recalled, Recollection
from baton.sdk.models.model import Message, ToolMessage
from baton.worker.conversation.exchanges import OUTCOME, REPLACED, Exchange
from baton.worker.executors.history import kinds_of
from baton.worker.executors.model_turn import messages
from baton.worker.executors.remembering import Conversing, Recalling
from baton_events.ids import canonical_json
from tests.unit.baton.sdk.memory.sample_entries import a_job, an_entry

TASK = {"role": "user", "v": 1, "text": "go on", "data": {}, "chat": {}}
_texts = st.text(max_size=40).flatmap(lambda text: st.integers(0, 60).map(lambda times: text * times))
_exchanges = st.lists(
    st.builds(
        Exchange,
        st.from_regex(r"job_[0-9a-f]{24}", fullmatch=True),
        _texts,
        st.none() | _texts,
        st.sampled_from(["completed", "failed", "cancelled", "stopped by tool_calls", REPLACED, OUTCOME]),
        calls=st.lists(_texts.map(lambda text: text.replace("\n", " ")), max_size=30).map(tuple),
        cut=st.booleans(),
    ),
    max_size=30,
)


class _Earlier:
    def __init__(self, found: Sequence[Exchange]) -> None:
        self._found = tuple(found)

    async def before(self, *_: Any) -> tuple[Exchange, ...]:
        return self._found


class _Keeper:
    def __init__(self, texts: Sequence[str]) -> None:
        self._entries = tuple(Recalled(an_entry(f"job_{at}", text)) for at, text in enumerate(texts))

    async def retrieve(self, *_: Any) -> Recollection:
        return Recollection("session_1", self._entries)


def _size(message: Message) -> int:
    assert not isinstance(message, ToolMessage)
    return len(message.text.encode("utf-8", "replace"))


@given(_exchanges, st.lists(_texts, max_size=12), st.integers(500, 6_000), st.integers(0, 400))
@settings(max_examples=40)
def test_a_first_turn_is_told_no_more_than_it_may_read(
    earlier: list[Exchange], remembered: list[str], most: int, before: int
) -> None:
    given_to = list[History]()

    async def turn(effect: object, history: History, claim: object) -> ModelAnswered:
        assert (effect, claim) == (asked, granted)
        given_to.append(history)
        return ModelAnswered("done", ())

    model: Any = ScriptedModel(["x"])
    registry = Registry([Agent("keeper", model, memory=Memory())])
    keeper: Any = _Keeper(remembered)
    before_it: Any = _Earlier(earlier)
    executor = Recalling(Conversing(turn, registry, before_it, most), registry, keeper, most)
    asked, granted = CallModel(a_job(agent="keeper"), 1, 1), Claim("job_1", "k", "m", "o", 0, 0)
    asyncio.run(executor(asked, History((TASK,), size_bytes=before), granted))
    (history,) = given_to
    told = sum(map(_size, messages(history)))
    assert told + before <= most
    assert history.size_bytes == before + sum(len(canonical_json(one).encode()) for one in history.transcript[1:])


async def test_what_an_attempt_was_told_besides_is_forgotten_where_it_is_not_recorded() -> None:
    """Another process may do the turn meanwhile, with nothing to tell: this one knew the model's answer as told."""
    model: Any = ScriptedModel(["x"])
    registry, found = Registry([Agent("keeper", model)]), [Exchange("job_0", "Which?", "This.", "completed")]
    asked, granted = CallModel(a_job(agent="keeper"), 1, 1), Claim("job_1", "k", "m", "o", 0, 0)

    async def dies(effect: object, history: History, claim: object) -> None:
        del effect, claim
        assert len(messages(history)) > 1
        assert len(kinds_of(history)) > 1

    known, before_it = History((TASK,)), cast("Any", _Earlier(found))
    await Conversing(cast("Any", dies), registry, before_it, 10_000)(asked, known, granted)
    answer = {"role": "model", "v": 1, "turn": 1, "text": "done", "calls": []}
    now = History((TASK, answer), memo=known.memo)
    assert (messages(now), kinds_of(now)) == (messages(History((TASK, answer))), frozenset({"user", "model"}))
