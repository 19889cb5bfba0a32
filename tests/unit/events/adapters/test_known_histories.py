"""Known histories grow with what is written, and never beyond their limit."""

from events.adapters.known_histories import KnownHistories, KnownHistory, as_told


def of_size(chars: int) -> KnownHistory:
    """One entry of so many characters."""
    return as_told("t", ["x" * chars], [])


def test_what_was_told_in_parts_has_the_tag_of_its_parts() -> None:
    """The order counts, and what is a result and what an entry."""
    told = as_told("t", ["a"], ["c1", '{"ok":1}'])
    assert told.with_more({}, []) is told
    more = [
        told.with_more({"c2": "r"}, ["b"]),
        told.with_more({"c2": "r"}, []).with_more({}, ["b"]),
        told.with_more({}, ["c2", "r", "b"]),
        told.with_more({}, ["b"]).with_more({"c2": "r"}, []),
    ]
    assert len({history.tag for history in more}) == len(more)
    assert more[0].transcript == more[1].transcript == ("a", "b")
    assert more[0].results == more[3].results == {"c1": '{"ok":1}', "c2": "r"}
    assert told.results == {"c1": '{"ok":1}'}


def test_nothing_is_made_of_what_is_not_known() -> None:
    """A COMMIT of a job that others have begun."""
    histories = KnownHistories()
    assert histories.with_more("a", {"c": "r"}, []) is None
    histories.keep("a", of_size(1))
    known = histories.with_more("a", {"c": "r"}, [])
    assert known is not None
    assert histories.of("a") is known
    histories.forget("a")
    assert histories.of("a") is None


def test_the_longest_unused_goes_first() -> None:
    """And one beyond the limit is not kept at all; what it replaces is out of date."""
    histories = KnownHistories(limit_chars=100)
    for name in "abc":
        histories.keep(name, of_size(30))
    histories.keep("a", of_size(30))
    histories.keep("d", of_size(40))
    assert [name for name in "abcd" if histories.of(name)] == ["a", "c", "d"]
    histories.keep("a", of_size(101))
    assert [name for name in "abcd" if histories.of(name)] == ["c", "d"]
    histories.keep("a", of_size(30))
    assert [name for name in "abcd" if histories.of(name)] == ["a", "c", "d"]
