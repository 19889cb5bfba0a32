"""Where work items are kept: a job's only one in the job's own field, several in one each."""

import random  # noqa: TID251 - what comes and goes is drawn here, from a seed that the test names
from functools import cache

import pytest
from msgspec.structs import replace

from baton.engine.commit.codec import dump
from baton.engine.commit.draft import Draft
from baton.engine.commit.layout import field_of, tree_of, written
from baton.engine.commit.tree import Tree
from baton.engine.state import Job, call_item
from baton.engine.work_items import WorkItem, loop_item
from tests.contract.store.sample import record_of

JOB = Job("job_1", "s", "acme", "a", 1)
OWN = "item:job_1"


@cache  # what is the same object is not written again
def turn(number: int) -> WorkItem:
    return loop_item("job_1", number, 1, 5)


@cache
def call(position: int) -> WorkItem:
    key = f"job_1-1-{position}-aaaaaaaaaa"
    made = WorkItem(f"call:{key}:1", turn(1).kind, "job_1", 1, 1, position, key)
    return call_item("job_1", replace(record_of(made), id=key, position=position), 1, 5)


class Kept:
    def __init__(self, *items: WorkItem) -> None:
        self.tree, self.state = Tree(jobs={"job_1": JOB}), {"job:job_1": dump(JOB)}
        self.step(*items)

    def step(self, *items: WorkItem) -> tuple[dict[str, str], list[str]]:
        draft, keys = Draft.of(self.tree), {item.key for item in items}
        draft.drop_items(*[key for key in self.tree.items if key not in keys])
        draft.put_items(*[item for item in items if item.key not in self.tree.items])
        new, gone = written(self.tree, draft)
        self.state = {name: text for name, text in {**self.state, **new}.items() if name not in gone}
        self.tree = draft.as_it_is()
        assert not {*new} & {*gone}
        assert tree_of(self.state, {}, Tree()) == self.tree
        return new, gone


def test_what_follows_the_only_item_takes_its_field() -> None:
    """One write instead of two; a turn's calls are no exception, but for their number.

    Where nothing follows, the field is empty, and is filled again by what comes later.
    """
    kept = Kept(turn(1))
    new, gone = kept.step(call(0))
    assert ([*new], gone) == ([OWN], [])
    assert kept.step() == ({OWN: ""}, [])
    new, gone = kept.step(turn(2))
    assert ([*new], gone) == ([OWN], [])
    new, gone = kept.step(call(0), call(1))
    assert ([*new], gone) == ([OWN, f"item:{call(1).key}"], [])


def test_of_several_items_each_field_is_gone_once_its_item_is() -> None:
    """Others rely on it that whoever has ended is not there; nobody takes the field before they have ended, too."""
    kept = Kept(turn(1))
    kept.step(call(0), call(1), call(2))
    assert field_of(call(0), kept.tree) == OWN
    assert kept.step(call(1), call(2)) == ({}, [OWN])
    new, gone = kept.step(call(2), call(3))
    assert ([*new], gone) == ([f"item:{call(3).key}"], [f"item:{call(1).key}"])
    new, gone = kept.step(call(3))
    assert (new, gone) == ({}, [f"item:{call(2).key}"])
    new, gone = kept.step(call(3), call(4))
    assert ([*new], gone) == ([f"item:{call(4).key}"], [])


@pytest.mark.parametrize("seed", range(20))
def test_what_is_written_is_read_whatever_comes_and_goes(seed: int) -> None:
    """Known in part, as a process knows it that has read the state before."""
    dice, kept = random.Random(seed), Kept(turn(1))
    able = [*map(turn, range(1, 4)), *map(call, range(4))]
    for _ in range(60):
        known, before = dict(kept.state), kept.tree
        kept.step(*dice.sample(able, dice.choice((0, 1, 1, 2, 4))))
        assert tree_of(kept.state, known, before) == kept.tree


def test_how_long_an_operation_needs_the_tree_is_read_again() -> None:
    draft = Draft.of(Tree())
    draft.need("call_1", 5)
    draft.need("call_2", 7)
    fields, gone = written(Tree(), draft)
    assert (tree_of(fields, {}, Tree()).needed_until, gone) == ({"call_1": 5, "call_2": 7}, [])
