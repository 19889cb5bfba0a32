"""A real server in cluster mode with the bridge in front, both processes of their own.

One node owns all slots: that is enough for the server to refuse a script whose keys are in two slots, or that touches
a key of another slot than its own. Invariant: both have ended when `stop` returns.
"""

import secrets
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from baton_local.doctor.store import KEYS, RIGHTS
from baton_local.redis.valkey import find_server
from tests.contract.store_cluster.raw_client import RawClient

TOKEN = "cluster-token"
LAST_SLOT = 16_383
PATIENCE_SECONDS = 120.0
STOP_SECONDS = 60.0


_PORTS = range(20_000, 32_000)  # below those that the system gives to clients


def free_port() -> int:
    """A port that nobody listens on, and that another run of these tests does not choose, too."""
    while True:
        port = secrets.choice(_PORTS)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port


class ClusterNode:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: list[subprocess.Popen[str]] = []
        self._port = 0
        self.url = ""

    def start(self) -> None:
        self._folder.mkdir()
        self._port, bus_port = free_port(), free_port()
        options = {
            "bind": "127.0.0.1",
            "port": str(self._port),
            "cluster-enabled": "yes",
            "cluster-port": str(bus_port),
            "cluster-config-file": str(self._folder / "nodes.conf"),
            "dir": str(self._folder),
            "save": "",
            "appendonly": "no",
            "logfile": str(self._folder / "valkey.log"),
        }
        self._start(
            [str(find_server().path), *(word for name, value in options.items() for word in (f"--{name}", value))]
        )
        bridge = ("-m", "baton_local.redis", "--server", f"127.0.0.1:{self._port}", "--token", TOKEN)
        self.url = url_of(self._start([sys.executable, *bridge, "--port", "0"]))
        self.request("CLUSTER", "ADDSLOTSRANGE", 0, LAST_SLOT)
        self._wait_until_ready()
        self.let("app", "+cluster|slots", "+asking")

    def let(self, user: str, *rights: str) -> None:
        """Make a user who has the documented rights, and these."""
        self.request(
            "ACL", "SETUSER", user, "reset", "on", ">secret", *(f"~{key}" for key in KEYS), *RIGHTS.split(), *rights
        )

    def address_of(self, user: str) -> str:
        return f"redis://{user}:secret@127.0.0.1:{self._port}"

    def request(self, *command: str | int) -> Any:
        """One command's result, from the server itself.

        Raises:
            RuntimeError: the server refused it; its text is the server's.
        """
        with closing(RawClient(self._port)) as client:
            return client.request(*command)

    def stop(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()

    def _start(self, command: list[str]) -> subprocess.Popen[str]:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self._processes.append(process)
        return process

    def _wait_until_ready(self) -> None:
        """A node that has just started waits two seconds before it takes writes."""
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while "cluster_state:ok" not in self.request("CLUSTER", "INFO"):
            assert time.monotonic() < give_up_at, f"no cluster within {PATIENCE_SECONDS:g} s"
            time.sleep(0.05)


def url_of(bridge: subprocess.Popen[str]) -> str:
    """Where the bridge says that it listens, once it has reached its server."""
    assert bridge.stdout is not None
    line = bridge.stdout.readline()
    assert line.startswith("Redis REST listening on "), f"the bridge said {line!r} instead of its URL"
    return line.split()[-1]
