"""A draft of a tree: what a step changes, and notes."""

from msgspec.structs import replace

from baton.engine.commit.draft import Draft
from baton.engine.commit.tree import Tree
from baton.engine.state import NOTHING_USED, Job
from baton.engine.work_items import loop_item

JOB = Job("job_1", "s", "acme", "a", 1)
TURN, NEXT = loop_item("job_1", 1, 1, 5), loop_item("job_1", 2, 1, 5)


def _tree() -> Tree:
    return Tree(jobs={"job_1": JOB}, items={TURN.key: TURN}, results={"job_1": {"call_1": "1", "early:call_2": "2"}})


def test_a_draft_leaves_its_tree_and_what_was_taken_of_it_alone() -> None:
    tree = _tree()
    draft = Draft.of(tree)
    early = draft.as_it_is()
    draft.put_items(NEXT)
    later = draft.as_it_is()
    draft.drop_items(TURN.key)
    draft.put_results("job_1", {"call_1": "3"})
    assert tree == early == _tree()
    assert [*later.items] == [TURN.key, NEXT.key]
    assert [*draft.items] == [NEXT.key]


def test_what_a_step_puts_and_removes_is_noted_and_nothing_else() -> None:
    draft = Draft.of(_tree())
    draft.put_job(JOB)
    draft.put_items()
    draft.drop_items("no such item")
    draft.put_results("job_1", {"call_1": "1"})
    assert (draft.fields, draft.touched, draft.new_results) == ({}, {}, {})
    draft.put_job(replace(JOB, run=2))
    draft.put_usage("job_1", NOTHING_USED)
    draft.put_items(NEXT)
    draft.drop_items(TURN.key)
    draft.put_results("job_1", {"call_1": "4"})
    assert [*draft.fields] == ["job:job_1", "usage:job_1"]
    assert [*draft.touched] == [NEXT.key, TURN.key]
    assert draft.new_results == {"job_1": {"call_1": "4"}}


def test_a_job_that_begins_again_forgets_outcomes_of_calls_that_run_again_and_early_ones() -> None:
    draft = Draft.of(_tree())
    draft.begin_again("job_1", ["call_1"], from_start=False)
    assert (draft.items, draft.results["job_1"]) == ({}, {})
    assert draft.new_results == {"job_1": {"call_1": None, "early:call_2": None}}
