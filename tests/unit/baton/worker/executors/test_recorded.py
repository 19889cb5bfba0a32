"""What a runner is told of a job, where an earlier step has read the beginning of its history."""

from typing import Any

from baton.engine.commit.answers import History
from baton.worker.executors.runner_work import recorded
from tests.unit.baton.kit.stage import Stage


class Counted(dict[str, Any]):
    """An entry that counts how often its role is looked at."""

    looks = 0

    def __getitem__(self, name: str) -> Any:
        Counted.looks += name == "role"
        return super().__getitem__(name)


def entries() -> list[dict[str, Any]]:
    said = [{"role": "user", "text": "first"}, {"role": "user", "text": "second"}]
    turns = [Counted(role="model", turn=turn, calls=[]) for turn in (1, 2, 3)]
    task = Counted(role="user", text="the task", data={}, files=[{"mediaType": "text/plain", "data": "eA=="}])
    return [task, said[0], turns[0], turns[1], said[1], turns[2], {"role": "user", "text": "last"}]


def test_what_was_read_before_gives_the_same_as_all_of_it() -> None:
    job, known = Stage().job(), entries()
    memo = dict[str, Any]()
    for count in (1, 2, 4, 3, 5, 7, 7, 6):
        told = recorded(job, History(tuple(known[:count]), memo=memo))
        assert told == recorded(job, History(tuple(known[:count])))
    assert recorded(job, History(tuple(known), memo=memo)).messages == ((0, "first"), (2, "second"), (3, "last"))
    assert recorded(job, History(tuple(known), memo=memo)).files == ("eA==",)


def test_an_entry_that_was_read_is_not_looked_at_again() -> None:
    job, memo, known = Stage().job(), dict[str, Any](), entries()[:1]
    for turn in range(1, 51):
        recorded(job, History(tuple(known), memo=memo))
        known.append(Counted(role="model", turn=turn, calls=[]))
    Counted.looks = 0
    recorded(job, History(tuple(known), memo=memo))
    assert Counted.looks < 10
