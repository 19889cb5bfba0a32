"""Which port each part of the stack listens on, and which ports other stacks of this person hold.

The usual ports where they are free, else a free one; and the ports of the last run before either, because messages
that wait in the queue carry the app's address. Invariants: the app never moves away silently from a port that waiting
messages may carry. A held port is chosen by no other stack while its holder lives: two stacks that start in the same
second both find a port free, because neither listens yet. The part that gets the port binds it, never this module.
"""

import contextlib
import errno
import fcntl
import json
import os
import secrets
import socket
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from baton_local.dev.data_folder import PRIVATE_FILE_MODE, PRIVATE_FOLDER_MODE, write_private_file
from baton_local.dev.stack_error import StackError

LOOPBACK = "127.0.0.1"
USUAL_PORTS: Mapping[str, int] = {"app": 8090, "qstash": 8080, "redis_rest": 8079, "vector": 8078}
PORTS_FILE_NAME = "ports.json"
LAST_PORT = 65_535
# Below the range that the kernel hands out to outgoing connections (32768 and up on Linux): a port remembered from
# there would now and then be somebody's client socket at the next start.
FREE_RANGE = range(20_000, 32_000)
FREE_TRIES = 200


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
) -> ChosenPorts:
    """Choose a port for each part; `wanted_app_port` is `--port`: None = the usual ones, 0 = any free ones."""
    ports: dict[str, int] = {}
    remarks: list[str] = []
    for part, usual in USUAL_PORTS.items():
        used = frozenset(ports.values())
        if part == "app" and (wanted_app_port or part in remembered):
            ports[part] = _fixed_app_port(remembered.get(part), wanted_app_port or None, is_free, remarks)
            continue
        candidates = [remembered.get(part), None if wanted_app_port == 0 else usual]
        free = [port for port in candidates if port is not None and port not in used and is_free(port)]
        ports[part] = free[0] if free else any_free(used)
        if not free and wanted_app_port != 0:
            remarks.append(f"port {usual} is taken, so {part} uses {ports[part]}")
    return ChosenPorts(ports, tuple(remarks))


def _fixed_app_port(
    remembered: int | None, wanted: int | None, is_free: Callable[[int], bool], remarks: list[str]
) -> int:
    """Return the port that the app must have, or say why it cannot have it."""
    port = wanted or remembered
    assert port is not None
    if not is_free(port):
        if wanted:
            raise StackError(f"port {port} is taken: end what listens there, or give another one with --port N")
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
    """Note the ports for the next run on this folder."""
    write_private_file(folder / PORTS_FILE_NAME, json.dumps(dict(ports), indent=2) + "\n")


def port_is_free(port: int) -> bool:
    """Say whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections of an ended server that are still winding down do not make its port taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise
    return True


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


class PortHolds:
    """The ports of one stack, in the folder that all of them share."""

    def __init__(self, folder: Path, is_free: Callable[[int], bool] = port_is_free) -> None:
        self._folder = folder
        self._is_free = is_free
        self._held: list[tuple[int, Path]] = []

    def take(self, port: int) -> bool:
        """Hold the port; False: another stack holds it, or a server listens there."""
        path = self._folder / str(port)
        try:
            lock = self._locked(path)
        except BlockingIOError:
            return False
        except OSError:
            return self._is_free(port)  # no room, or no right: as if nobody else were starting now
        self._held.append((lock, path))
        if self._is_free(port):
            return True
        self._release(*self._held.pop())
        return False

    def _locked(self, path: Path) -> int:
        """Lock the file at `path`; its last holder may remove it in the meantime, then the new one counts."""
        while True:
            self._folder.mkdir(mode=PRIVATE_FOLDER_MODE, parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE_MODE)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if path.stat().st_ino == os.fstat(lock).st_ino:
                        return lock
                except BlockingIOError:
                    os.close(lock)
                    raise
                except FileNotFoundError:
                    pass
                os.close(lock)

    def _release(self, lock: int, path: Path) -> None:
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(lock)

    def take_any(self, used: frozenset[int]) -> int:
        """Hold a free port that is none of `used`, and return it."""
        return any_free_port(used, self.take)

    def close(self) -> None:
        """Let others have the ports."""
        while self._held:
            self._release(*self._held.pop())
        with contextlib.suppress(OSError):
            self._folder.rmdir()  # unless others hold ports in it


def shared_holds() -> PortHolds:
    """Return holds in the folder that all stacks of this person on this machine share."""
    return PortHolds(Path(tempfile.gettempdir()) / f"baton-ports-{os.getuid()}")
