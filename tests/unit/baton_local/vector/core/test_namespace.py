from baton_local.vector.core.index import Namespace
from tests.unit.baton_local.vector.core.made import record


def test_a_new_record_is_seen_when_it_is_due() -> None:
    space = Namespace()
    space.put(record(1, "a"), 1_000, 50)
    assert (space.queryable(1_049), space.counts(1_049)) == ([], (0, 1))
    assert [seen.id for seen in space.queryable(1_050)] == ["a"]
    assert space.counts(1_050) == (1, 0)


def test_a_replaced_record_is_seen_as_it_was_before() -> None:
    """Each replacement starts the wait anew, from what was seen then."""
    space = Namespace()
    first, second, third = (record(1, "a", number, 1.0) for number in (1.0, 2.0, 3.0))
    space.put(first, 0, 50)
    space.put(second, 60, 50)
    assert space.queryable(100) == [first]
    space.put(third, 100, 50)
    assert space.queryable(149) == [first]  # the second never got its turn
    assert space.counts(149) == (1, 1)
    assert space.queryable(150) == [third]


def test_a_record_replaced_before_it_was_seen_stays_unseen() -> None:
    space = Namespace()
    space.put(record(1, "a"), 0, 50)
    space.put(record(1, "a", 2.0, 0.0), 40, 50)
    assert space.queryable(60) == []
    assert space.counts(60) == (0, 1)
    assert len(space.queryable(90)) == 1


def test_what_is_dropped_is_not_seen_and_not_pending() -> None:
    space = Namespace()
    for seq, name in enumerate("abc", 1):
        space.put(record(seq, name), 0, 50)
    space.drop("a")
    space.drop("unknown")
    assert space.counts(0) == (0, 2)
    space.reset()
    assert space.counts(0) == (0, 0)
    assert space.queryable(100) == []


def test_order_is_that_of_insertion_while_some_are_pending() -> None:
    space = Namespace()
    for seq, name in enumerate("abc", 1):
        space.put(record(seq, name), 0, 0)
    space.put(record(2, "b", 5.0, 5.0), 0, 50)
    space.put(record(4, "d"), 0, 50)
    assert [seen.id for seen in space.queryable(10)] == ["a", "b", "c"]
    assert [seen.id for seen in space.queryable(60)] == ["a", "b", "c", "d"]
