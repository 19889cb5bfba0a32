"""How much was asked of the bridge and how much the server did for it.

Upstash may bill a script as one command plus one for every call in it (redis-rest.md 11), so both figures are kept:
requests and commands as received, and commands as executed, calls inside scripts included.
Bytes are those of keys and arguments, and of the texts of answers: without commands' names and scripts, which a client
need not send, without numbers in answers, and without what HTTP and JSON wrap around them.
Invariant: the bridge's own commands are not counted, so two readings in a row differ by nothing.
"""

import json
from collections import Counter
from dataclasses import dataclass, field

from baton_local.redis.resp import Reply, Status

# Only the bridge itself can send these: a transaction is billed by its members (redis-rest.md 11).
_NEVER_COUNTED = frozenset({"multi", "exec"})
_SCRIPTS = frozenset({b"EVAL", b"EVALSHA", b"EVAL_RO", b"EVALSHA_RO"})
READ_STATS = [b"INFO", b"commandstats"]


@dataclass(slots=True)
class Counters:
    """Counts since the bridge started; `own` are the commands that it ran for itself on the present server."""

    http_requests: int = 0
    commands_received: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0
    own: Counter[str] = field(default_factory=Counter)
    run_id: str = ""

    def received(self, arguments: list[bytes]) -> None:
        """Count a command that has come."""
        self.commands_received += 1
        # EVAL, its script, and how many of the others are keys.
        first = 3 if arguments[0].upper() in _SCRIPTS else 1
        self.bytes_received += sum(map(len, arguments[first:]))

    def sent(self, reply: Reply) -> None:
        """Count a command that was answered."""
        self.bytes_sent += _text_bytes(reply)

    def greeted(self, info: Reply) -> None:
        """Count a connection's first commands; `info` is the server's answer to `INFO server`."""
        run_id = next((line[7:] for line in _lines(info) if line.startswith("run_id:")), self.run_id)
        if run_id != self.run_id:  # a server that was started again counts from zero
            self.run_id = run_id
            self.own.clear()
        self.own.update(("ping", "info"))

    def report(self, info: Reply) -> bytes:
        """Return the JSON body, from the server's answer to `READ_STATS`."""
        calls: dict[str, int] = {}
        for line in _lines(info):
            name, _, value = line.partition(":")
            if name.startswith("cmdstat_"):
                calls[name.removeprefix("cmdstat_")] = int(value.removeprefix("calls=").partition(",")[0])
        executed = {name: count - self.own[name] for name, count in sorted(calls.items()) if name not in _NEVER_COUNTED}
        self.own["info"] += 1
        body = {
            "http_requests": self.http_requests,
            "commands_received": self.commands_received,
            "bytes_received": self.bytes_received,
            "bytes_sent": self.bytes_sent,
            "commands_executed": sum(executed.values()),
            "executed_by_command": {name: count for name, count in executed.items() if count},
            "server_run_id": self.run_id,
        }
        return json.dumps(body).encode()


def _text_bytes(reply: Reply) -> int:
    if isinstance(reply, list):
        return sum(map(_text_bytes, reply))
    return len(reply) if isinstance(reply, bytes) and not isinstance(reply, Status) else 0


def _lines(info: Reply) -> list[str]:
    return info.decode("utf-8", "replace").splitlines() if isinstance(info, bytes) else []
