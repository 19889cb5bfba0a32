"""Commands that are refused over REST, and why; every other one passes.

One of two reasons (redis-rest.md 9): the service itself does not serve the command, or it would block or change the
connection that all requests share, or end the server under the bridge.
"""

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
    """Return whether BLOCK is among the options, which end where STREAMS begins."""
    for argument in arguments[1:]:
        option = argument.upper()
        if option == b"STREAMS":
            return False
        if option == b"BLOCK":
            return True
    return False


def _shown(subcommand: bytes) -> str:
    return subcommand.decode("ascii", "replace")
