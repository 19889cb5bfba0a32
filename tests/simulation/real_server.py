"""The real server with the real script, on which some worlds play (`Plan.on_server`).

Invariant: what the script answers there goes to who asked, and it leaves what its twin leaves, or the world says so.
"""

import atexit
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import ConnectionError as NotThereError

from baton.store import redis as adapters
from baton.store.redis.in_process.streams import Entry, Stream
from baton_local.redis.valkey import server_address, server_command
from tests.simulation.kept import Kept

Request = tuple[list[str], list[str]]
_READY_SECONDS = 20.0
_SCRIPT = Path(str(adapters.__file__)).with_name("lua") / "commit.lua"


class RealServer:
    def __init__(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="baton-")
        atexit.register(folder.cleanup)
        data = Path(folder.name) / "data"
        self._process = subprocess.Popen(server_command(data), stderr=subprocess.DEVNULL)
        atexit.register(self._end)
        self._redis: Any = Redis(unix_socket_path=str(server_address(data).socket_path), decode_responses=True)
        self._redis.set_response_callback("XRANGE", lambda rows, **_: rows)  # as it is: fields of an entry share a name
        self._wait()
        self._script = str(self._redis.script_load(f"#!lua\n{_SCRIPT.read_text(encoding='utf-8')}"))

    def _end(self) -> None:
        self._process.terminate()
        self._process.wait()

    def _wait(self) -> None:
        until = time.monotonic() + _READY_SECONDS
        while True:
            try:
                self._redis.ping()
            except NotThereError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.02)
            else:
                return

    def apply(self, before: Kept, request: Request, after: Kept) -> tuple[list[Any], dict[str, Any]]:
        """Run the script over these keys; `after`: what its twin leaves. Returns its answer, and what it leaves."""
        keys, arguments = request
        pipe = self._redis.pipeline(transaction=False)
        pipe.flushdb()
        for key, value in before.values.items():
            _put(pipe, key, value)
            if key in before.expiring:
                pipe.pexpire(key, before.expiring[key])
        pipe.evalsha(self._script, len(keys), *keys, *arguments)
        names = sorted({*before.values, *after.values, *keys})
        for name in names:
            _take(pipe, name, after.values.get(name))
            pipe.pttl(name)
        answers = pipe.execute()[-1 - 2 * len(names) :]
        texts = zip(names, answers[1::2], answers[2::2], strict=True)
        return answers[0], {name: _kept(value, left) for name, value, left in texts if value}


def _put(pipe: Any, key: str, value: Any) -> None:
    if isinstance(value, dict):
        pipe.hset(key, mapping=value)
    elif isinstance(value, tuple):
        pipe.rpush(key, *value)
    elif isinstance(value, Stream):
        for entry in value.entries:
            pipe.execute_command("XADD", key, _name(entry), *entry.flat)
    else:
        pipe.set(key, value)


def _take(pipe: Any, key: str, value: Any | None) -> None:
    if isinstance(value, dict):
        pipe.hgetall(key)
    elif isinstance(value, tuple):
        pipe.lrange(key, 0, -1)
    elif isinstance(value, Stream):
        pipe.execute_command("XRANGE", key, "-", "+")
    elif value is None:
        pipe.exists(key)
    else:
        pipe.get(key)


def _name(entry: Entry) -> str:
    return f"{entry.id[0]}-{entry.id[1]}"


def _plain(value: Any) -> Any:
    return tuple((_name(entry), entry.flat) for entry in value.entries) if isinstance(value, Stream) else value


def _kept(value: Any, left_ms: int) -> Any:
    return tuple(map(_entry, value)) if isinstance(value, list) else value, left_ms > 0


def _entry(value: Any) -> Any:
    return (value[0], tuple(value[1])) if isinstance(value, list) else value


def what_differs(before: Kept, request: Request, twin: list[Any], after: Kept) -> tuple[list[Any], str]:
    """What the real script answers, and where it, or what it leaves, is not what its twin says; empty: nowhere."""
    answer, left = real_server().apply(before, request, after)
    wanted = {name: (_plain(value), name in after.expiring) for name, value in after.values.items()}
    if left != wanted:
        names = [name for name in {*left, *wanted} if left.get(name) != wanted.get(name)]
        return answer, f"of {names} the server keeps {[left.get(name) for name in names]}"
    if _in_order(request, answer) != _in_order(request, twin):
        return answer, f"the server answers {answer}; its twin {twin}"
    return answer, ""


def _in_order(request: Request, answer: list[Any]) -> list[Any]:
    """The answer with the fields of hashes in their order: a server has none."""
    commands, written, found = answer
    reads = json.loads(request[1][0]).get("reads", ())
    if not written or not any(name in _FIELDS for name, *_ in reads):
        return answer
    pairs = zip(found, reads, strict=True)
    ordered = [[_FIELDS[read[0]](each[0])] if read[0] in _FIELDS and each[0] else each for each, read in pairs]
    return [commands, written, ordered]


def _by_name(flat: list[str]) -> list[tuple[str, str]]:
    return sorted(zip(flat[::2], flat[1::2], strict=True))


_FIELDS: dict[str, Callable[[list[str]], list[Any]]] = {"HGETALL": _by_name, "HKEYS": sorted}


@cache
def real_server() -> RealServer:
    return RealServer()
