"""What becomes of each command: refused, answered here, or sent to the server, perhaps with other arguments. Pure.

Invariant: every command, alone or in a batch, passes through here exactly once before it can reach the server. A table
names those that are refused, because the service does not serve them, or because they would change a connection that
others use, or end the server (redis-rest.md 9). What else is known of commands, which only read and where their keys
are, the server is asked. Replies stand in the order of the commands; a transaction in which any is refused is not sent.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeAlias

from baton_local.redis.counters import Counters
from baton_local.redis.resp import OK, Reply, ServerError, Status

_BLOCKING = "blocks, and blocking commands are not available over REST"
_TRANSACTION = "is not available over REST; POST /multi-exec runs a transaction"
_CONNECTION = "concerns a connection, which a REST request does not have"
_SUBSCRIPTION = "is not available as a command; subscribe with POST /subscribe/<channel>"
_SERVER = "would endanger the local server and is not available over the bridge"

_REASONS = {
    _BLOCKING: "BLPOP BRPOP BRPOPLPUSH BLMOVE BLMPOP BZPOPMIN BZPOPMAX BZMPOP",
    _TRANSACTION: "WATCH UNWATCH MULTI EXEC DISCARD",
    _CONNECTION: "AUTH HELLO SELECT QUIT RESET READONLY READWRITE ASKING",
    _SUBSCRIPTION: "SUBSCRIBE PSUBSCRIBE SSUBSCRIBE UNSUBSCRIBE PUNSUBSCRIBE SUNSUBSCRIBE MONITOR",
    _SERVER: "SHUTDOWN DEBUG REPLICAOF SLAVEOF SYNC PSYNC REPLCONF FAILOVER CLUSTER MODULE SAVE BGSAVE BGREWRITEAOF",
}
_REASON_BY_NAME = {name.encode(): reason for reason, names in _REASONS.items() for name in names.split()}

# What of a container command is refused; of CLIENT, the other way round, what is served.
_SUBCOMMANDS_REFUSED = {
    b"CONFIG": frozenset({b"SET", b"REWRITE"}),
    b"SCRIPT": frozenset({b"DEBUG"}),
    b"ACL": frozenset({b"SETUSER", b"DELUSER", b"LOAD", b"SAVE", b"RESTTOKEN"}),
}
_CLIENT_SUBCOMMANDS_SERVED = frozenset({b"GETNAME", b"HELP", b"ID", b"INFO", b"LIST", b"COUNT"})
_SPECIAL = b"EVAL EVAL_RO EVALSHA EVALSHA_RO CLIENT XREAD XREADGROUP BITOP SCAN WAIT WAITAOF FUNCTION".split()
_CONCERNED = frozenset({*_REASON_BY_NAME, *_SUBCOMMANDS_REFUSED, *_SPECIAL})
# Harmless without being flagged as reads, and refused though flagged as reads (redis-rest.md 2).
_ALSO_ALLOWED = frozenset({b"PING", b"ECHO", b"TIME", b"COMMAND"})
_NEVER_ALLOWED = frozenset({b"KEYS", b"SCAN"})

READ_ONLY = "NOPERM this token may only read"
KEY_LIMIT_BYTES = 32 * 1024
_BITOP_OF_REDIS_8_2 = frozenset({b"DIFF", b"DIFF1", b"ANDOR", b"ONE"})
_DEFAULT_COUNT = 10
_LARGEST_COUNT = 1000
_CALLS_LIMIT = 1000  # after which a page may be short after all, as SCAN's contract allows
_WAITING = frozenset({b"WAIT", b"WAITAOF"})
_WAITED_KEY = b"redis-rest-bridge:waited"

Call: TypeAlias = Callable[[Sequence[list[bytes]]], Awaitable[list[Reply]]]
Rewrite: TypeAlias = Callable[[Reply], Awaitable[Reply]]
# An answer of the bridge's own; what makes the client's reply of the server's; None: the server's is the client's.
Outcome: TypeAlias = Status | ServerError | Rewrite | None


class Commands:
    """Runs commands by what sends them to the server; remembers the scripts whose digest differs there.

    `call_apart` does so over a connection of its own, for what blocks, or must overtake what does.
    """

    def __init__(self, call: Call, call_apart: Call, counters: Counters, scripts_limit: int = 10_000) -> None:
        self._call, self._call_apart, self._counters, self._scripts_limit = call, call_apart, counters, scripts_limit
        self._loaded_shas: dict[bytes, bytes] = {}

    async def run(self, batch: list[list[bytes]], *, read_only: bool) -> list[Reply]:
        """Return the replies of commands, one after the other, others' perhaps between them."""
        outcomes = await self._prepared(batch, read_only=read_only)
        if not any(outcomes):
            return await self._call(batch)
        sent = _sent(batch, outcomes)
        if _apart in outcomes:
            before = _write_before(sent)
            replies = (await self._call_apart([*before, *sent]))[len(before) :]
        else:
            replies = await self._call(sent) if sent else []
        return await _merged(outcomes, replies)

    async def run_at_once(self, batch: list[list[bytes]], *, read_only: bool) -> list[Reply] | ServerError:
        """Return the replies of a transaction, or the one error for which nothing ran."""
        outcomes = await self._prepared(batch, read_only=read_only)
        refused = next((outcome for outcome in outcomes if isinstance(outcome, ServerError)), None)
        if refused is not None:
            return refused
        replies = await self._call([[b"MULTI"], *_sent(batch, outcomes), [b"EXEC"]])
        failed = next((reply for reply in replies if isinstance(reply, ServerError)), None)
        if failed is not None:
            return failed
        executed = replies[-1]
        if not isinstance(executed, list):
            return ServerError(b"EXECABORT Transaction discarded by the server")
        return await _merged(outcomes, executed)

    async def _prepared(self, batch: list[list[bytes]], *, read_only: bool) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for arguments in batch:
            self._counters.received(arguments)
            name = arguments[0].upper()
            outcome: Outcome = None
            if read_only and not await self._only_reads(name, arguments):
                shown = name[:64].decode("ascii", "replace").lower()
                outcome = ServerError(f"{READ_ONLY}; it cannot run the '{shown}' command".encode())
            elif max(map(len, arguments)) > KEY_LIMIT_BYTES:  # few commands have anything that long
                outcome = await self._too_large_key(arguments)
            if outcome is None and name in _CONCERNED:
                outcome = self._special(name, arguments)
            outcomes.append(outcome)
        return outcomes

    async def _too_large_key(self, arguments: list[bytes]) -> ServerError | None:
        (keys,) = await self._asked(b"GETKEYS", *arguments)
        for key in keys if isinstance(keys, list) else ():
            if isinstance(key, bytes) and len(key) > KEY_LIMIT_BYTES:
                limits = f"Limit: {KEY_LIMIT_BYTES} bytes, Actual: {len(key)} bytes"
                return ServerError(f"ERR max key size exceeded. {limits}".encode())
        return None

    async def _only_reads(self, name: bytes, arguments: list[bytes]) -> bool:
        if name in _ALSO_ALLOWED or name in _NEVER_ALLOWED:
            return name in _ALSO_ALLOWED
        (rows,) = await self._asked(b"INFO", name + b"|" + b"".join(arguments[1:2])[:64], name)
        known = [row for row in rows if isinstance(row, list)] if isinstance(rows, list) else []
        return bool(known) and isinstance(known[0][2], list) and b"readonly" in known[0][2]

    async def _asked(self, subcommand: bytes, *arguments: bytes) -> list[Reply]:
        replies = await self._call([[b"COMMAND", subcommand, *arguments]])
        self._counters.own[f"command|{subcommand.decode().lower()}"] += 1
        return replies

    def _special(self, name: bytes, arguments: list[bytes]) -> Outcome:
        subcommand = arguments[1][:64].upper() if len(arguments) > 1 else b""
        outcome: Outcome = None
        match name, subcommand:
            case (b"EVALSHA" | b"EVALSHA_RO", _) if subcommand:
                arguments[1] = self._loaded_sha(arguments[1])
            case (b"EVAL" | b"EVAL_RO", _) if subcommand:
                arguments[1] = self._translated(arguments[1])
            case b"SCRIPT", b"EXISTS" | b"SHOW":
                arguments[2:] = map(self._loaded_sha, arguments[2:])
            case b"SCRIPT", b"LOAD" if len(arguments) == 3:  # noqa: PLR2004 - SCRIPT LOAD and the script
                outcome = partial(_named, _sha1_hex(arguments[2]))
                arguments[2] = self._translated(arguments[2])
            case b"BITOP", _ if subcommand in _BITOP_OF_REDIS_8_2:
                outcome = partial(_newer, subcommand)
            case b"SCAN", _:
                outcome = self._page(arguments[2:])
            case (b"WAIT" | b"WAITAOF", _) | (b"SCRIPT" | b"FUNCTION", b"KILL"):
                outcome = _apart
            case b"CLIENT", b"SETINFO":
                outcome = OK  # the SDK offers it (redis-rest.md 9); it would set a property of a shared connection
            case _:
                reason = why_refused(name, subcommand, arguments)
                outcome = None if reason is None else ServerError(b"ERR " + reason.encode())
        return outcome

    def _translated(self, script: bytes) -> bytes:
        stripped = without_key_locking(script)
        if stripped is not script:
            self._loaded_shas[_sha1_hex(script)] = _sha1_hex(stripped)
            if (
                len(self._loaded_shas) > self._scripts_limit
            ):  # the forgotten one is NOSCRIPT, which every client handles
                del self._loaded_shas[next(iter(self._loaded_shas))]
        return stripped

    def _loaded_sha(self, sha: bytes) -> bytes:
        return self._loaded_shas.get(sha.lower(), sha)

    def _page(self, options: list[bytes]) -> Rewrite | None:
        """Return what fills a page of SCAN; None where nothing is filtered, so that the server does."""
        pairs = list(zip(options[::2], options[1::2], strict=False))
        filters = [part for name, value in pairs if name.upper() != b"COUNT" for part in (name, value)]
        counts = [int(value) for name, value in pairs if name.upper() == b"COUNT" and value.isdigit()]
        return partial(self._filled, filters, counts[-1] if counts else _DEFAULT_COUNT) if filters else None

    async def _filled(self, filters: list[bytes], wanted: int, reply: Reply) -> Reply:
        """Look on for as many keys as are wanted, further each time; the calls for it are the bridge's own.

        A stock server's SCAN looks at COUNT keys and may return none of them with a cursor (redis-rest.md 9).
        """
        found: list[Reply] = []
        for calls in range(1, _CALLS_LIMIT + 1):
            if not isinstance(reply, list) or not isinstance(keys := reply[1], list):
                break
            found += keys
            cursor = reply[0]
            reply = [cursor, found]
            if not isinstance(cursor, bytes) or cursor == b"0" or len(found) >= wanted or calls == _CALLS_LIMIT:
                break
            count = min(_LARGEST_COUNT, max(wanted, _DEFAULT_COUNT) << min(calls, 10))
            (reply,) = await self._call([[b"SCAN", cursor, *filters, b"COUNT", b"%d" % count]])
            self._counters.own["scan"] += 1
        return reply


def _sent(batch: list[list[bytes]], outcomes: list[Outcome]) -> list[list[bytes]]:
    return [
        arguments
        for arguments, outcome in zip(batch, outcomes, strict=True)
        if not isinstance(outcome, (Status, ServerError))
    ]


async def _merged(outcomes: list[Outcome], replies: list[Reply]) -> list[Reply]:
    served = iter(replies)
    merged: list[Reply] = []
    for outcome in outcomes:
        if outcome is None:
            merged.append(next(served))
        elif isinstance(outcome, (Status, ServerError)):
            merged.append(outcome)
        else:
            merged.append(await outcome(next(served)))
    return merged


def why_refused(name: bytes, subcommand: bytes, arguments: list[bytes]) -> str | None:
    """Return the reason for which the upper-case command `name` is refused, or None.

    `arguments` is the whole command, its name included.
    """
    reason = _REASON_BY_NAME.get(name)
    if reason is not None:
        return f"Command {name.decode()} {reason}"
    if name in (b"XREAD", b"XREADGROUP") and _has_block(arguments):
        return f"Command {name.decode()} with BLOCK {_BLOCKING}"
    shown = subcommand.decode("ascii", "replace")
    if name == b"CLIENT" and subcommand not in _CLIENT_SUBCOMMANDS_SERVED:
        return f"Command CLIENT {shown} {_CONNECTION}"
    if subcommand in _SUBCOMMANDS_REFUSED.get(name, ()):
        return f"Command {name.decode()} {shown} {_SERVER}"
    return None


def _has_block(arguments: list[bytes]) -> bool:
    for argument in arguments[1:]:
        option = argument.upper()
        if option == b"STREAMS":
            return False
        if option == b"BLOCK":
            return True
    return False


_FLAG = b"allow-key-locking"
_FLAGS = re.compile(rb"[ \t]+flags=([^ \t\r\n]*)")


def without_key_locking(script: bytes) -> bytes:
    """Return the script with Upstash's own flag, which stock servers reject, taken out of its shebang.

    The line stays, so line numbers hold (redis-rest.md 9). Any other script is returned as it is.
    """
    if not script.startswith(b"#!") or _FLAG not in script:
        return script
    line, newline, rest = script.partition(b"\n")
    found = _FLAGS.search(line)
    if found is None:
        return script
    kept = [flag for flag in found[1].split(b",") if flag.strip() != _FLAG]
    flags = b" flags=" + b",".join(kept) if kept else b""
    return line[: found.start()] + flags + line[found.end() :] + newline + rest


def _sha1_hex(script: bytes) -> bytes:
    return hashlib.sha1(script, usedforsecurity=False).hexdigest().encode()


def _write_before(commands: list[list[bytes]]) -> list[list[bytes]]:
    """Return the commands that make WAIT and WAITAOF mean something on a fresh connection.

    They wait for the connection's own last write, and a fresh one has none. A write that undoes itself within one
    transaction is seen by nobody and comes after every write that the client has had an answer to.
    """
    if not any(command[0].upper() in _WAITING for command in commands):
        return []
    return [[b"MULTI"], [b"SET", _WAITED_KEY, b""], [b"DEL", _WAITED_KEY], [b"EXEC"]]


async def _apart(reply: Reply) -> Reply:
    """Stand for a command that needs a connection of its own."""
    return reply


async def _named(sha: bytes, reply: Reply) -> Reply:
    """Return the reply of SCRIPT LOAD, under the name that the client can compute."""
    return reply if isinstance(reply, ServerError) else sha


async def _newer(operation: bytes, reply: Reply) -> Reply:
    shown = b"ERR BITOP %b is of Redis 8.2, and this server refuses it: " % operation
    return ServerError(shown + reply.text) if isinstance(reply, ServerError) else reply
