"""What a process knows of a tree."""

from baton.storage.redis.tree_snapshot import TreeSnapshot


def test_a_result_that_is_not_there_says_nothing_of_the_call() -> None:
    """They have one name: a call that was taken for absent was read later, when somebody else had ended it."""
    place = ("job_1", "call_1")
    snapshot = TreeSnapshot().read_again({}, None, {place: None}, {})
    assert snapshot.knows_result(place)
    assert not snapshot.knows_call(place)
    assert snapshot.read_again({}, None, {}, {place: None}).knows_call(place)
