"""Two stacks that start in the same second."""

import contextlib
from pathlib import Path

from baton_local.dev.ports import PortHolds, choose_ports, shared_holds


def all_free(_port: int) -> bool:
    """Nobody listens yet."""
    return True


def test_two_stacks_that_find_all_ports_free_choose_different_ones(tmp_path: Path) -> None:
    """Neither listens when the other one chooses, and no port is chosen twice."""
    first, second = PortHolds(tmp_path, all_free), PortHolds(tmp_path, all_free)
    one = choose_ports({}, None, first.take, first.take_any)
    two = choose_ports({}, None, second.take, second.take_any)
    assert not set(one.ports.values()) & set(two.ports.values())
    assert len(two.remarks) == 4


def test_ports_are_free_again_when_their_stack_has_ended(tmp_path: Path) -> None:
    """However often a stack starts."""
    for _ in range(2):
        with contextlib.closing(PortHolds(tmp_path, all_free)) as holds:
            assert holds.take(8090)
            assert not PortHolds(tmp_path, all_free).take(8090)


def test_a_port_on_which_somebody_listens_is_not_held(tmp_path: Path) -> None:
    """Nor does the try keep others from it."""
    assert not PortHolds(tmp_path, lambda _port: False).take(8090)
    assert PortHolds(tmp_path, all_free).take(8090)


def test_a_folder_that_cannot_be_made_keeps_no_stack_from_starting(tmp_path: Path) -> None:
    """Then only who listens counts."""
    (tmp_path / "file").touch()
    assert PortHolds(tmp_path / "file" / "under", all_free).take(8090)


def test_all_stacks_of_a_person_share_their_holds() -> None:
    """Wherever their data is."""
    with contextlib.closing(shared_holds()) as first, contextlib.closing(shared_holds()) as second:
        port = first.take_any(frozenset())
        assert not second.take(port)
