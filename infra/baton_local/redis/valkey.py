"""The real server as a process: its command line, and the small launcher that becomes it.

`server_command` gives a supervisor what to start; run, it locks the data folder, ties its life to its parent's, and
turns into the server by exec, so that the process id stays and the lock lasts exactly as long as the server.
Invariant: every acknowledged write has reached the kernel (append-only file, fsync every second), so a killed server
loses none (redis-rest.md 11); it listens on the owner's unix socket, or on loopback when asked for a port.
"""

import argparse
import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from baton_local.redis.address import ServerAddress
from baton_local.redis.binary import ServerBinary, ServerNotFoundError, find_server
from baton_local.redis.data_dir import DataDir
from baton_local.stand_in.folder import DataFolderError

_PR_SET_PDEATHSIG = 1


def server_command(data: Path, *, port: int | None = None) -> list[str]:
    """What to start for a server over the folder `data`; the server ends when the process calling this does.

    Args:
        data: the data folder; made when missing.
        port: also listen on this loopback port; by default only on the folder's unix socket.
    """
    # -P: nothing in the current folder hides this one.
    command = [sys.executable, "-P", "-m", "baton_local.redis.valkey", "--data", str(data.resolve())]
    if port is not None:
        command += ["--port", str(port)]
    return [*command, "--parent", str(os.getpid())]


def server_address(data: Path) -> ServerAddress:
    """Where the server over the folder `data` listens."""
    return ServerAddress(socket_path=DataDir(data).socket_path)


def server_arguments(binary: ServerBinary, data_dir: DataDir, port: int | None = None) -> list[str]:
    """The server's own command line; no configuration file, no defaults of a distribution."""
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
        data_dir.create()
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
