from hypothesis import given
from hypothesis import strategies as st

from baton_local.qstash.core.queues import Line


def test_an_instance_that_comes_back_has_its_old_place() -> None:
    line = Line[str]()
    for number, name in enumerate("abc"):
        line.join(name, number)
    first = line.pop()
    line.join("d", 3)
    line.join(first, 0)
    assert [line.pop() for _ in range(len(line))] == ["a", "b", "c", "d"]


@given(st.lists(st.tuples(st.sampled_from(["join", "leave", "pop"]), st.integers(0, 9))))
def test_line_is_a_sorted_list(steps: list[tuple[str, int]]) -> None:
    """For any order of coming and going; nobody is given out twice, and the room is that of those who wait."""
    line, waiting = Line[str](), set[int]()
    for what, number in steps:
        if what == "join":
            line.join(str(number), number)
            waiting.add(number)
        elif what == "leave":
            line.leave(str(number))
            waiting.discard(number)
        elif waiting:
            first = min(waiting)
            waiting.remove(first)
            assert line.pop() == str(first)
        assert len(line) == len(waiting)
        assert (str(number) in line) == (number in waiting)


def test_those_who_left_take_no_room() -> None:
    line = Line[int]()
    for number in range(10_000):
        line.join(number, number)
        line.leave(number)
    assert len(line._heap) < 2_000
