"""Decides for each command whether it is forwarded, answered here, or sent over a connection of its own.

Invariant: every command, alone or in a batch, passes through here exactly once before it can reach the server. A table
names the commands that need more than the refusals; all others are forwarded as they came. Scripts lose Upstash's own
shebang flag (`#!lua flags=allow-key-locking`), which a stock server rejects (redis-rest.md 9): the line stays, so line
numbers hold, and a client may keep using the SHA1 of the text as it knows it. A command is refused because the service
does not serve it, or because it would block or change the shared connection, or end the server (redis-rest.md 9).
"""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable

from baton_local.redis.commands.access import READ_ONLY
from baton_local.redis.commands.command import Answer, Apart, Command, Forward, ScanPage, refusal
from baton_local.redis.commands.command_table import CommandTable
from baton_local.redis.link.resp import OK, Reply, ServerError

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

# What of a container command is refused; of CLIENT, the other way round, what is served.
_SUBCOMMANDS_REFUSED = {
    b"CONFIG": frozenset({b"SET", b"REWRITE"}),
    b"SCRIPT": frozenset({b"DEBUG"}),
    b"ACL": frozenset({b"SETUSER", b"DELUSER", b"LOAD", b"SAVE", b"RESTTOKEN"}),
}
_CLIENT_SUBCOMMANDS_SERVED = frozenset({b"GETNAME", b"HELP", b"ID", b"INFO", b"LIST", b"COUNT"})

_REASON_BY_NAME = {name.encode(): reason for reason, names in _REASONS.items() for name in names.split()}
_CONCERNED = frozenset({*_REASON_BY_NAME, *_SUBCOMMANDS_REFUSED, b"CLIENT", b"XREAD", b"XREADGROUP"})


def why_refused(name: bytes, arguments: list[bytes]) -> str | None:
    """Return the reason for which the upper-case command `name` is refused, or None.

    `arguments` is the whole command, its name included.
    """
    if name not in _CONCERNED:
        return None
    reason = _REASON_BY_NAME.get(name)
    if reason is not None:
        return f"Command {name.decode()} {reason}"
    if name in (b"XREAD", b"XREADGROUP") and _has_block(arguments):
        return f"Command {name.decode()} with BLOCK {_BLOCKING}"
    subcommand = arguments[1][:64].upper() if len(arguments) > 1 else b""
    if name == b"CLIENT" and subcommand not in _CLIENT_SUBCOMMANDS_SERVED:
        return f"Command CLIENT {_shown(subcommand)} {_CONNECTION}"
    if subcommand in _SUBCOMMANDS_REFUSED.get(name, ()):
        return f"Command {name.decode()} {_shown(subcommand)} {_SERVER}"
    return None


def _has_block(arguments: list[bytes]) -> bool:
    for argument in arguments[1:]:
        option = argument.upper()
        if option == b"STREAMS":
            return False
        if option == b"BLOCK":
            return True
    return False


def _shown(subcommand: bytes) -> str:
    return subcommand.decode("ascii", "replace")


_FLAG = b"allow-key-locking"
_FLAGS = re.compile(rb"[ \t]+flags=([^ \t\r\n]*)")


def without_key_locking(script: bytes) -> bytes:
    """Return the script with the flag taken out of its shebang; any other script as it is."""
    if not script.startswith(b"#!") or _FLAG not in script:
        return script
    line, newline, rest = script.partition(b"\n")
    found = _FLAGS.search(line)
    if found is None:
        return script
    kept = [flag for flag in found[1].split(b",") if flag.strip() != _FLAG]
    flags = b" flags=" + b",".join(kept) if kept else b""
    return line[: found.start()] + flags + line[found.end() :] + newline + rest


def sha1_hex(script: bytes) -> bytes:
    """Return the name by which EVALSHA knows a script."""
    return hashlib.sha1(script, usedforsecurity=False).hexdigest().encode()


class ScriptMap:
    """From the SHA1 that clients compute to the SHA1 of what was loaded.

    Bounded: the oldest entry goes first, after which its EVALSHA is answered NOSCRIPT, the case every client handles.
    """

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._loaded_by_client_sha: OrderedDict[bytes, bytes] = OrderedDict()
        self._stripped_by_text: OrderedDict[bytes, bytes] = OrderedDict()

    def translate(self, script: bytes) -> bytes:
        """Return the text to load for `script`; remember the pair when they differ."""
        known = self._stripped_by_text.get(script)
        if known is not None:
            return known
        stripped = without_key_locking(script)
        if stripped is not script:
            self._remember(self._loaded_by_client_sha, sha1_hex(script), sha1_hex(stripped))
            self._remember(self._stripped_by_text, script, stripped)
        return stripped

    def loaded_sha(self, sha: bytes) -> bytes:
        """Return the SHA1 under which the server knows the client's script."""
        return self._loaded_by_client_sha.get(sha.lower(), sha)

    def _remember(self, table: OrderedDict[bytes, bytes], key: bytes, value: bytes) -> None:
        table[key] = value
        if len(table) > self._limit:
            table.popitem(last=False)


KEY_LIMIT_BYTES = 32 * 1024
_BITOP_OF_REDIS_8_2 = frozenset({b"DIFF", b"DIFF1", b"ANDOR", b"ONE"})


class Preparer:
    """Turns arguments into a `Command`; holds what the bridge remembers about scripts."""

    def __init__(self, table: CommandTable, key_limit_bytes: int = KEY_LIMIT_BYTES) -> None:
        self._table, self._key_limit_bytes = table, key_limit_bytes
        self._scripts = ScriptMap()
        self._special: dict[bytes, Callable[[list[bytes]], Command]] = {
            b"EVAL": self._eval,
            b"EVAL_RO": self._eval,
            b"EVALSHA": self._evalsha,
            b"EVALSHA_RO": self._evalsha,
            b"SCRIPT": self._script,
            b"CLIENT": _client,
            b"FUNCTION": _function,
            b"BITOP": _bitop,
            b"SCAN": _scan,
            b"WAIT": Apart,
            b"WAITAOF": Apart,
        }

    def prepare(self, arguments: list[bytes], *, read_only: bool = False) -> Command:
        name = arguments[0].upper()
        if read_only and not self._table.is_harmless_read(name, arguments):
            return _noperm(name)
        if max(map(len, arguments)) > self._key_limit_bytes:  # few commands have anything that long
            too_large = self._too_large_key(name, arguments)
            if too_large is not None:
                return too_large
        special = self._special.get(name)
        if special is not None:
            return special(arguments)
        reason = why_refused(name, arguments)
        return Forward(arguments) if reason is None else refusal(reason)

    def _too_large_key(self, name: bytes, arguments: list[bytes]) -> Answer | None:
        for key in self._table.keys(name, arguments):
            if len(key) > self._key_limit_bytes:
                return refusal(f"max key size exceeded. Limit: {self._key_limit_bytes} bytes, Actual: {len(key)} bytes")
        return None

    def _eval(self, arguments: list[bytes]) -> Command:
        if len(arguments) > 1:
            arguments[1] = self._scripts.translate(arguments[1])
        return Forward(arguments)

    def _evalsha(self, arguments: list[bytes]) -> Command:
        if len(arguments) > 1:
            arguments[1] = self._scripts.loaded_sha(arguments[1])
        return Forward(arguments)

    def _script(self, arguments: list[bytes]) -> Command:
        subcommand = arguments[1].upper() if len(arguments) > 1 else b""
        if subcommand == b"KILL":
            return Apart(arguments)
        reason = why_refused(b"SCRIPT", arguments)
        if reason is not None:
            return refusal(reason)
        if subcommand in (b"EXISTS", b"SHOW"):
            return Forward(arguments[:2] + [self._scripts.loaded_sha(sha) for sha in arguments[2:]])
        if subcommand == b"LOAD" and len(arguments) == 3:  # noqa: PLR2004 - SCRIPT LOAD and the script
            script = arguments[2]
            arguments[2] = self._scripts.translate(script)
            if arguments[2] is not script:
                return Forward(arguments, rewrite=_named(sha1_hex(script)))
        return Forward(arguments)


def _named(sha: bytes) -> Callable[[Reply], Reply]:
    """Return the reply of SCRIPT LOAD, under the name that the client can compute."""
    return lambda reply: reply if isinstance(reply, ServerError) else sha


def _client(arguments: list[bytes]) -> Command:
    if len(arguments) > 1 and arguments[1].upper() == b"SETINFO":
        return Answer(OK)  # the SDK offers it (redis-rest.md 9); it would set a property of the shared connection
    reason = why_refused(b"CLIENT", arguments)
    return Forward(arguments) if reason is None else refusal(reason)


def _function(arguments: list[bytes]) -> Command:
    # A running script occupies the connection that it came over, so KILL has to come over another one.
    return Apart(arguments) if len(arguments) > 1 and arguments[1].upper() == b"KILL" else Forward(arguments)


def _bitop(arguments: list[bytes]) -> Command:
    operation = arguments[1].upper() if len(arguments) > 1 else b""
    return Forward(arguments, rewrite=_newer(operation) if operation in _BITOP_OF_REDIS_8_2 else None)


def _newer(operation: bytes) -> Callable[[Reply], Reply]:
    shown = b"ERR BITOP %b is of Redis 8.2, and this server refuses it: " % operation
    return lambda reply: ServerError(shown + reply.text) if isinstance(reply, ServerError) else reply


def _scan(arguments: list[bytes]) -> Command:
    return Forward(arguments, page=ScanPage.of_command(arguments))


def _noperm(name: bytes) -> Answer:
    shown = name[:64].decode("ascii", "replace").lower()
    return Answer(ServerError(f"{READ_ONLY}; it cannot run the '{shown}' command".encode()))
