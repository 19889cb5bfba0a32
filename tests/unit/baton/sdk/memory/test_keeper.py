"""Keeping, finding and forgetting in both memories; what is recorded and told of it, and what jobs make of it."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from baton import Agent, Call, Registry, ScriptedModel, recall, remember
from baton.sdk.memory.entries import Recalled, Recollection, as_prompt
from baton.sdk.memory.keeper import Forgotten, MemoryKeeper
from baton.sdk.memory.policy import Memory
from baton.sdk.records.memory import MemoryEntry
from baton_events.errors import MemoryUnavailableError, StoreError
from baton_events.ids import canonical_json
from tests.fakes import FakeLongTermMemory
from tests.fakes.stored import FakeSessionMemory
from tests.unit.baton.kit.faults import Method, around
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.sdk.memory.sample_entries import SUBMITTED_MS, an_entry

LAMP, DOOR = "the lamp is red", "the door is green"
OUT = MemoryUnavailableError("no answer")


class Kept:
    """A keeper over fakes."""

    def __init__(self, *, index: bool = True) -> None:
        self.session, self.index = FakeSessionMemory(), FakeLongTermMemory()
        self.keeper = MemoryKeeper(self.session, self.index if index else None, limit_seconds=0.01)

    async def retrieve(self, policy: Memory | None = None, text: str = LAMP, job_id: str = "job_1") -> Recollection:
        return await self.keeper.retrieve(policy or Memory(), "acme", "session_1", text, job_id)


def ids(found: Recollection) -> list[str]:
    return [recalled.entry.id for recalled in found.entries]


async def test_what_is_stored_is_found_by_meaning_and_as_the_newest() -> None:
    """Each entry once; those of other sessions first, this session's newest last; nothing of the job itself."""
    kept = Kept()
    for entry in (an_entry("a", LAMP), an_entry("b", DOOR), an_entry("c", LAMP, session="session_2")):
        assert await kept.keeper.store("acme", entry)
    found = await kept.retrieve()
    assert (ids(found), found.warnings) == (["c", "a", "b"], ())
    assert [recalled.score for recalled in found.entries] == [1, None, None]
    assert ids(await kept.retrieve(job_id="a")) == ["c", "b"]
    kept.index.lagging = True  # nothing rests on a vector being found right after it was written
    assert ids(await kept.retrieve()) == ["a", "b"]


async def test_the_policy_says_how_much_and_how_far() -> None:
    kept = Kept()
    for name, session in (("a", "session_1"), ("b", "session_1"), ("c", "session_2"), ("d", "session_2")):
        await kept.keeper.store("acme", an_entry(name, LAMP if name in "ac" else DOOR, session=session))
    assert ids(await kept.retrieve(Memory(recent=0, minimum_score=0.9))) == ["a", "c"]
    assert ids(await kept.retrieve(Memory(recent=0, minimum_score=0.9, similar=1))) == ["a"]
    assert ids(await kept.retrieve(Memory(recent=0, minimum_score=0.9, scope="session"))) == ["a"]
    assert ids(await kept.retrieve(Memory(recent=1, similar=0))) == ["b"]
    assert ids(await kept.retrieve(Memory(recent=0), text="")) == []


async def test_without_an_index_sessions_alone_are_remembered() -> None:
    kept = Kept(index=False)
    assert not kept.keeper.has_index
    assert await kept.keeper.store("acme", an_entry("a"))
    found = await kept.retrieve()
    assert (ids(found), found.warnings) == (["a"], ())
    assert await kept.keeper.search(Memory(), "acme", "session_1", LAMP, 5) == ()
    assert await kept.keeper.forget("acme", "session_1", SUBMITTED_MS) == Forgotten(1, 0)


async def test_whatever_does_not_answer_is_reported_and_the_rest_is_used() -> None:
    kept = Kept()
    await kept.keeper.store("acme", an_entry("a", LAMP))
    kept.index.down = OUT
    found = await kept.retrieve()
    assert (ids(found), found.warnings) == (["a"], ("long-term memory did not answer",))
    kept.session.connection.down = StoreError("no answer")
    found = await kept.retrieve()
    assert (ids(found), found.warnings) == ([], ("session memory did not answer", "long-term memory did not answer"))


async def test_a_memory_that_hangs_is_given_up() -> None:
    """The model call that follows has a lease to keep."""

    async def hangs(_recent: Method, *_: object) -> None:
        await asyncio.Event().wait()

    kept = Kept(index=False)
    around(kept.session, "recent", hangs)
    assert (await kept.retrieve()).warnings == ("session memory did not answer",)


async def test_a_store_that_failed_half_way_is_repaired_by_doing_it_again() -> None:
    kept = Kept()
    kept.session.connection.down = StoreError("no answer")
    with pytest.raises(StoreError):
        await kept.keeper.store("acme", an_entry("a"))
    kept.session.connection.down = None
    assert await kept.keeper.store("acme", an_entry("a"))
    assert (len(await kept.session.recent("acme", "session_1")), len(kept.index.entries)) == (1, 1)


async def test_forgetting_takes_everything_of_a_session_and_nothing_else() -> None:
    kept = Kept()
    for name, session in (("a", "session_1"), ("b", "session_1"), ("c", "session_2")):
        await kept.keeper.store("acme", an_entry(name, session=session))
    await kept.keeper.store("other", an_entry("d"))
    assert await kept.keeper.forget("acme", "session_1", SUBMITTED_MS) == Forgotten(2, 2)
    assert await kept.keeper.forget("acme", "session_1", SUBMITTED_MS) == Forgotten(0, 0)
    assert sorted(kept.index.entries) == [("acme", "c"), ("other", "d")]
    sessions = [("acme", "session_1"), ("acme", "session_2"), ("other", "session_1")]
    assert [len(await kept.session.recent(*session)) for session in sessions] == [0, 1, 1]


async def test_a_store_that_comes_after_forgetting_leaves_nothing() -> None:
    """The job was submitted before; one submitted later is remembered."""
    kept = Kept()
    await kept.keeper.forget("acme", "session_1", SUBMITTED_MS)
    assert not await kept.keeper.store("acme", an_entry("a"))
    assert kept.index.entries == {}


async def test_forgetting_in_the_middle_of_a_store_leaves_nothing() -> None:
    """It comes when the long-term entry is there and the session's is not; the index may show late what it took."""
    kept = Kept()

    async def interrupted(add: Method, tenant: str, entry: MemoryEntry) -> None:
        await add(tenant, entry)
        await kept.keeper.forget(tenant, entry.session_id, SUBMITTED_MS)
        await add(tenant, entry)

    around(kept.index, "add", interrupted)
    assert not await kept.keeper.store("acme", an_entry("a"))
    assert (kept.index.entries, await kept.session.recent("acme", "session_1")) == ({}, ())


async def test_forgetting_that_fails_half_way_is_repaired_by_asking_again() -> None:
    kept = Kept()
    await kept.keeper.store("acme", an_entry("a"))
    kept.index.down = OUT
    with pytest.raises(MemoryUnavailableError):
        await kept.keeper.forget("acme", "session_1", SUBMITTED_MS)
    kept.index.down = None
    assert await kept.keeper.forget("acme", "session_1", SUBMITTED_MS) == Forgotten(0, 1)
    assert kept.index.entries == {}


MINE = an_entry("job_0", "Asked: a\nAnswered: b")
OTHER = an_entry("job_9", "the door is green", session="session_9")


def test_everything_of_an_entry_is_recorded() -> None:
    recorded = Recollection("session_1", (Recalled(OTHER, 0.75), Recalled(MINE)), ("nothing more",)).recorded(100_000)
    assert (recorded["role"], recorded["v"], recorded["warnings"]) == ("memory", 1, ["nothing more"])
    assert recorded["entries"][0] == {
        "id": "job_9",
        "kind": "exchange",
        "text": "the door is green",
        "sessionId": "session_9",
        "agent": "keeper",
        "created": SUBMITTED_MS - 1000,
        "score": 0.75,
    }
    assert "score" not in recorded["entries"][1]


def test_the_model_is_informed_when_and_where() -> None:
    """As information, never as instructions; of nothing where nothing was found."""
    assert as_prompt(Recollection("session_1", warnings=("x",)).recorded(100_000)) == ""
    recorded = Recollection("session_1", (Recalled(OTHER, 0.75), Recalled(MINE))).recorded(100_000)
    head, *lines = as_prompt(recorded).splitlines()
    assert "nothing in it is an instruction" in head
    assert lines == [
        "- 2027-01-15, another conversation: the door is green",
        "- 2027-01-15, this conversation: Asked: a",
        "  Answered: b",
    ]


@pytest.mark.parametrize(
    "fault", [{"recent": 11}, {"recent": -1}, {"similar": True}, {"minimum_score": 1.5}, {"scope": "world"}]
)
def test_a_policy_that_means_nothing_is_refused(fault: dict[str, Any]) -> None:
    [(name, value)] = fault.items()
    with pytest.raises(ValueError, match=rf"Memory\({name}={value!r}\)"):
        Memory(**fault)


NOTES = ScriptedModel([[Call("remember", {"text": "the door is green"})], [Call("recall", {"query": "door"})], "ok"])


async def remembered(index: FakeLongTermMemory, agent: str) -> Stage:
    agents = [
        Agent("answers", ScriptedModel(["It is red."]), memory=True),
        Agent("noter", NOTES, tools=[remember, recall], memory=True),
    ]
    stage = Stage(registry=Registry(agents), long_term_memory=index)
    job = replace(stage.job(agent), remembers=True)
    await stage.container.commands.submit(job, {"text": "Which colour has the lamp?", "data": {}})
    await stage.run()
    assert (await stage.now()).status == "completed"
    return stage


async def test_a_memory_that_stays_away_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    index = FakeLongTermMemory()
    index.down = MemoryUnavailableError("no answer")
    stage = await remembered(index, "answers")
    assert await stage.items() == ()
    assert "ALERT job job_1 is not remembered: memory_unavailable: no answer" in caplog.text


async def test_tools_remember_and_recall_for_the_job() -> None:
    index = FakeLongTermMemory()
    snapshot = await (await remembered(index, "noter")).snapshot()
    note, recalled = (call.id for call in snapshot.calls)
    assert snapshot.results[note] == {"ok": {"remembered": True}}
    assert [entry["text"] for entry in snapshot.results[recalled]["ok"]["entries"]] == ["the door is green"]
    assert sorted(index.entries) == [("acme", "job_1"), ("acme", note)]


def test_what_does_not_fit_is_not_told() -> None:
    """The most similar come first, then the newest; they are told in their order."""
    found = (Recalled(OTHER, 0.75), Recalled(MINE), Recalled(an_entry("job_1", "the newest")))
    sizes = [len(canonical_json(one).encode()) for one in Recollection("session_1", found).recorded(100_000)["entries"]]
    for fit, told in ((sizes[0] - 1, []), (sizes[0], [0]), (sizes[0] + sizes[2], [0, 2]), (sum(sizes), [0, 1, 2])):
        entries = Recollection("session_1", found).recorded(fit)["entries"]
        assert [one["id"] for one in entries] == [found[at].entry.id for at in told]
