"""Which port each part of the stack listens on; each is held from the moment it is chosen.

The usual ports where they are free, else a free one; and the ports of the last run before either, because messages
that wait in the queue carry the app's address. Invariants: the app never moves away silently from a port that waiting
messages may carry. A port is held by a socket that listens, and its part takes callers from that socket: nobody else
gets the port, and the app's callers wait while it starts again. The part never binds it.
"""

import contextlib
import errno
import json
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from baton_local.dev.data_folder import write_private_file
from baton_local.dev.stack_error import StackError

LOOPBACK = "127.0.0.1"
USUAL_PORTS: Mapping[str, int] = {"app": 8090, "qstash": 8080, "redis_rest": 8079, "vector": 8078}
PORTS_FILE_NAME = "ports.json"
LAST_PORT = 65_535
# Below the range that the kernel hands out to outgoing connections (32768 and up on Linux): a port remembered from
# there would now and then be somebody's client socket at the next start.
FREE_RANGE = range(20_000, 32_000)
FREE_TRIES = 200
BACKLOG = 2_048


@dataclass(frozen=True)
class ChosenPorts:
    """A port for each part, and what the person should know about the choice."""

    ports: Mapping[str, int]
    remarks: tuple[str, ...] = ()


def choose_ports(
    remembered: Mapping[str, int],
    wanted_app_port: int | None,
    is_free: Callable[[int], bool],
    any_free: Callable[[frozenset[int]], int],
    wanted: Mapping[str, int] | None = None,
) -> ChosenPorts:
    """Choose a port for each part.

    `wanted_app_port` is `--port`: None = the usual ones, 0 = any free ones. `wanted`: of other parts, 0 alike.
    """
    ports: dict[str, int] = {}
    remarks: list[str] = []
    for part, usual in USUAL_PORTS.items():
        used = frozenset(ports.values())
        if part == "app" and (wanted_app_port or part in remembered):
            ports[part] = _fixed_app_port(remembered.get(part), wanted_app_port or None, is_free, remarks)
            continue
        if asked := (wanted or {}).get(part):
            if not is_free(asked):
                raise _taken(asked)
            ports[part] = asked
            continue
        is_any = 0 in (wanted_app_port, asked)
        candidates = [remembered.get(part), None if is_any else usual]
        free = next((port for port in candidates if port is not None and port not in used and is_free(port)), None)
        ports[part] = free or any_free(used)
        if not free and not is_any:
            remarks.append(f"port {usual} is taken, so {part} uses {ports[part]}")
    return ChosenPorts(ports, tuple(remarks))


def _taken(port: int) -> StackError:
    return StackError(f"port {port} is taken: end what listens there, or give another one")


def _fixed_app_port(
    remembered: int | None, wanted: int | None, is_free: Callable[[int], bool], remarks: list[str]
) -> int:
    port = wanted or remembered
    assert port is not None
    if not is_free(port):
        if wanted:
            raise _taken(port)
        raise StackError(
            f"port {port} is taken, and jobs that wait in this data folder expect the app on it: end what listens "
            f"there and start again, or give another one with --port N (the next sweep then continues those jobs, "
            "within about an hour)"
        )
    if remembered not in {None, port}:
        remarks.append(
            f"the app was on port {remembered} before: the next sweep continues jobs that still wait for it there, "
            "within about an hour"
        )
    return port


def read_remembered_ports(folder: Path) -> dict[str, int]:
    """Return the ports of the last run on this folder; none when there was no run or the note is unreadable."""
    try:
        record = json.loads((folder / PORTS_FILE_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(record, dict):
        return {}
    known = {part: record.get(part) for part in USUAL_PORTS}
    return {part: port for part, port in known.items() if isinstance(port, int) and 0 < port <= LAST_PORT}


def remember_ports(folder: Path, ports: Mapping[str, int]) -> None:
    write_private_file(folder / PORTS_FILE_NAME, json.dumps(dict(ports), indent=2) + "\n")


class PortHolds:
    """The ports of one stack, each held by a socket that listens."""

    def __init__(self) -> None:
        self._listeners: dict[int, socket.socket] = {}

    def take(self, port: int) -> bool:
        """Hold the port; False: somebody listens there."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        # As servers do: connections of an ended server that are still winding down do not make its port taken.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
            listener.listen(BACKLOG)
        except OSError as error:
            listener.close()
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise
        self._listeners[port] = listener
        return True

    def take_any(self, used: frozenset[int]) -> int:
        """Hold a free port that is none of `used`, and return it."""
        return any_free_port(used, self.take)

    def listeners_of(self, ports: Mapping[str, int]) -> dict[str, int]:
        """Return the numbers of the sockets that listen on these ports, by part."""
        return {part: self._listeners[port].fileno() for part, port in ports.items()}

    def close(self) -> None:
        """Let others have the ports."""
        for listener in self._listeners.values():
            listener.close()
        self._listeners.clear()


def port_is_free(port: int) -> bool:
    """Say whether a server could listen on this loopback port now."""
    with contextlib.closing(PortHolds()) as holds:
        return holds.take(port)


def any_free_port(used: frozenset[int], is_free: Callable[[int], bool] = port_is_free) -> int:
    """Return a free port outside the kernel's range for outgoing connections, and none of `used`."""
    for _ in range(FREE_TRIES):
        port = secrets.choice(FREE_RANGE)
        if port not in used and is_free(port):
            return port
    raise StackError(
        f"no free port found between {FREE_RANGE.start} and {FREE_RANGE.stop - 1} in {FREE_TRIES} tries: "
        "end some of the servers that run on this machine"
    )
