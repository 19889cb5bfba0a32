import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from baton_local.dev.ports import (
    FREE_RANGE,
    ChosenPorts,
    any_free_port,
    choose_ports,
    port_is_free,
    read_remembered_ports,
    remember_ports,
)
from baton_local.dev.stack_error import StackError

USUAL = {"app": 8090, "qstash": 8080, "redis_rest": 8079, "vector": 8078}


def all_but(*taken: int) -> Callable[[int], bool]:
    return lambda port: port not in taken


def lowest_from_30000(used: frozenset[int]) -> int:
    return next(port for port in range(30_000, 30_010) if port not in used)


def choose(remembered: dict[str, int], wanted: int | None, *taken: int) -> ChosenPorts:
    return choose_ports(remembered, wanted, all_but(*taken), lowest_from_30000)


def test_the_usual_ports_are_taken_when_free() -> None:
    assert choose({}, None) == ChosenPorts(USUAL)


def test_a_taken_usual_port_is_replaced_and_shown() -> None:
    chosen = choose({}, None, 8090, 8079)
    assert chosen.ports == {"app": 30_000, "qstash": 8080, "redis_rest": 30_001, "vector": 8078}
    assert chosen.remarks == (
        "port 8090 is taken, so app uses 30000",
        "port 8079 is taken, so redis_rest uses 30001",
    )


def test_zero_means_any_free_ports_without_remarks() -> None:
    assert choose({}, 0) == ChosenPorts({"app": 30_000, "qstash": 30_001, "redis_rest": 30_002, "vector": 30_003})


def test_the_ports_of_the_last_run_come_first() -> None:
    remembered = {"app": 25_000, "qstash": 25_001, "redis_rest": 25_002, "vector": 25_003}
    assert choose(remembered, None) == ChosenPorts(remembered)
    assert choose(remembered, 0) == ChosenPorts(remembered)


def test_the_app_never_leaves_its_old_port_silently() -> None:
    """Waiting messages would go to whoever listens there; the person decides."""
    with pytest.raises(StackError, match=r"port 25000 is taken, and jobs that wait .* --port N"):
        choose({"app": 25_000}, None, 25_000)


def test_the_other_parts_may_move() -> None:
    chosen = choose({"app": 25_000, "qstash": 25_001}, None, 25_001)
    assert chosen.ports == {"app": 25_000, "qstash": 8080, "redis_rest": 8079, "vector": 8078}


def test_a_requested_port_is_had_or_refused() -> None:
    """`--port N` is not a suggestion."""
    assert choose({}, 9000).ports["app"] == 9000
    with pytest.raises(StackError, match="port 9000 is taken"):
        choose({}, 9000, 9000)


def test_other_parts_have_the_ports_that_are_asked_for() -> None:
    chosen = choose_ports({"vector": 25_003}, None, all_but(7000), lowest_from_30000, {"vector": 9001})
    assert chosen.ports == {**USUAL, "vector": 9001}
    with pytest.raises(StackError, match="port 7000 is taken"):
        choose_ports({}, None, all_but(7000), lowest_from_30000, {"qstash": 7000})


def test_moving_the_app_on_purpose_says_what_becomes_of_waiting_jobs() -> None:
    chosen = choose({"app": 25_000}, 9000)
    assert chosen.ports["app"] == 9000
    assert "was on port 25000 before" in chosen.remarks[0]


def test_no_two_parts_get_the_same_port() -> None:
    ports = choose({}, 8080).ports
    assert len(set(ports.values())) == len(ports)


def test_ports_are_remembered(tmp_path: Path) -> None:
    remember_ports(tmp_path, USUAL)
    assert read_remembered_ports(tmp_path) == USUAL


@pytest.mark.parametrize("text", ["", "[]", '{"app": "x", "qstash": 0, "redis_rest": 70000}'])
def test_an_unreadable_note_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "ports.json").write_text(text)
    assert read_remembered_ports(tmp_path) == {}


def test_a_listening_socket_makes_its_port_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not port_is_free(port)
    assert port_is_free(port)


def test_a_free_port_is_outside_the_kernels_own_range() -> None:
    port = any_free_port(frozenset())
    assert port in FREE_RANGE
    assert port_is_free(port)
