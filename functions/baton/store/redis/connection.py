"""The store's connection: scripts and pipelines, over REST by the official Upstash SDK or over RESP, with time limits.

Invariant: every failure is a StoreError; the request may have been applied or not. The SDK's own retries are
off: it would repeat writes after seconds (redis-rest.md 10), while the queue repeats whole events. No adapter above
knows which transport there is.
"""

import asyncio
import hashlib
import json
import logging
import re
from collections.abc import Coroutine, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import httpx
from upstash_redis.errors import UpstashError

from baton.engine.commit.patch import Patch
from baton.engine.commit.patch import frees as plan_frees
from baton.sdk.distribution import require_extra
from baton.settings.settings import Settings, require
from baton.settings.store import user_of, wants_cluster
from baton.store.redis import keys as names
from baton.store.transport.http_transport import http_transport
from baton.store.transport.meter import charge, share
from baton.store.transport.redis_rest import Command, RedisCommands, answer_bytes, command_bytes
from baton_events.errors import StoreAnswerError, StoreError, StoreFullError, StoreRefusedError, TooLargeForStoreError
from baton_events.proxies import through
from baton_events.sealing import sealing_of

_log = logging.getLogger("baton.store")

# The flag is the hosted service's own: other servers refuse it.
_SHEBANG, _PLAIN_SHEBANG = "#!lua flags=allow-key-locking\n", "#!lua\n"
# The store refuses each script as a whole while its memory is full, unless the script's first line says otherwise.
_FULL, _FREEING_FLAG = "OOM", "allow-oom"
_ANSWER = "local answer = main()\nreturn {commands, answer}\n"
# The data of one answer: its wrapping has the rest of the 10 MB that the hosted store allows.
_MOST_BYTES = 8_000_000
# What the adapters and their scripts do to keys of Baton, and to the stream that others write (operation_stream.py).
_ON_KEYS = (
    "DEL EXISTS GET HDEL HEXISTS HGET HGETALL HINCRBY HKEYS HLEN HMGET HRANDFIELD HSCAN HSET HSETNX HSTRLEN HVALS"
    " LRANGE LREM PERSIST PEXPIRE PTTL RENAME RPUSH SADD SET SMEMBERS SREM UNLINK XADD XDEL XRANGE XREVRANGE"
    " XSETID XTRIM ZADD ZCARD ZCOUNT ZINCRBY ZLEXCOUNT ZMSCORE ZRANGE ZRANGEBYLEX ZREM ZREMRANGEBYLEX"
    " ZREMRANGEBYRANK ZREMRANGEBYSCORE ZSCAN ZSCORE"
)
_ON_STREAMS = "XACK XAUTOCLAIM XLEN XPENDING XTRIM"
# A server that can be asked what its user may do is asked, without a trace; then two commands are tried.
_PROBE = """local refused = {}
for i, words in ipairs(cjson.decode(ARGV[1])) do
  if not server.acl_check_cmd(unpack(words)) then
    refused[#refused + 1] = i
  end
end
if not refused[1] then
  redis.call('TIME')
  redis.call('SET', KEYS[1], 1, 'PX', 60000)
end
return refused
"""
# How servers, and proxies before them, refuse a request or a value for its size.
_TOO_LARGE = ("size exceeded", "exceeds maximum allowed size", "status 413,")
_NOT_LET_IN = ("WRONGPASS", "NOAUTH", "invalid password")
_REFUSED = ("NOPERM", "ACL failure")
_REFUSED_COMMAND = re.compile(r"run the '([^']+)' command")


def script(name: str, *shared: str) -> str:
    """Return the text of a Lua script beside this file, after the parts that it shares with others."""
    return counted(_lua(name), "".join(map(_lua, shared)))


def counted(text: str, before: str = "") -> str:
    """Return the script with a report of its cost beside its answer, as `RedisConnection.run` expects it."""
    if text.startswith("#!"):  # a library's own first line
        text = text.partition("\n")[2]
    return f"{_SHEBANG}{_lua('counted')}{before}local function main()\n{text}\nend\n{_ANSWER}"


@cache
def _applying() -> str:
    return _SHEBANG + _lua("commit")


def _lua(name: str) -> str:
    return Path(__file__).with_name("lua").joinpath(f"{name}.lua").read_text(encoding="utf-8")


@cache
def _sha1(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


@cache
def _without_flag(text: str) -> str:
    return _PLAIN_SHEBANG + text.removeprefix(_SHEBANG) if text.startswith(_SHEBANG) else text


@cache
def _freeing(text: str) -> str:
    """Return the script as it runs while the store's memory is full."""
    line, _, rest = text.partition("\n")
    return f"{line}{',' if 'flags=' in line else ' flags='}{_FREEING_FLAG}\n{rest}"


class Transport(Protocol):
    """Carries commands to the store."""

    async def execute_all(self, commands: Sequence[Command], *, beside_scripts: bool = False) -> tuple[list[Any], bool]:
        """Run commands in one request, one after the other, not atomically: see transport/redis_rest.py."""
        ...

    async def close(self) -> None:
        """Give up requests in progress and close connections."""
        ...


class RedisConnection:
    """One client for the process, made on first use: importing and constructing opens nothing.

    Commands that are ready at the same time share a request; see transport/batching.py.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.sealing = sealing_of(settings.payload_keys, settings.payload_codec)  # of all adapters over it
        if settings.resp_url:
            require_extra("redis", f"REDIS_URL ({settings.store_place})")
        self._client: Transport | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.held: list[Mapping[tuple[str, str], int]] = []  # counts that a later request takes along (tree/billing.py)
        self._loaded: set[str] = set()  # SHA1 of the scripts that the store has, as far as is known

    def _redis(self) -> Transport:
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:  # connections belong to the loop that opened them
            self._client = self._commands()
            self._loop = loop
        return self._client

    def _commands(self) -> Transport:
        settings = self._settings
        if settings.resp_url:
            from baton.store.transport.redis_resp import RespCommands  # noqa: PLC0415 - of an extra

            return RespCommands(settings.resp_url, settings.store_timeout_seconds)
        require(settings, "UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN")
        http = http_transport(settings, settings.redis_url)
        return RedisCommands(settings.redis_url, settings.redis_token, http, settings.store_timeout_seconds)

    def _text(self, text: str) -> str:
        return _without_flag(text) if self._settings.resp_url else text

    async def run(
        self,
        text: str,
        keys: Sequence[str],
        args: Sequence[str | int],
        beside: Sequence[Sequence[str | int]] = (),
        *,
        frees: bool = False,
    ) -> Any:
        """Run a script, and in the same request commands `beside` it; the present invocation pays for all.

        `frees`: it needs no more memory, so that it also runs while the store's memory is full. The text is sent once;
        then its SHA1 stands for it. A store that has forgotten it, as after a failover, does nothing, and gets the text
        again.
        """
        commands, *value = await self._evaluate(self._text(text), keys, args, beside, frees=frees)
        size_bytes = sum(map(command_bytes, (("", *keys, *args), *beside))) + answer_bytes(value)
        charge(requests=1, commands=commands + len(beside), size_bytes=size_bytes)
        return value[0] if value else None

    def apply(
        self, keys: Sequence[str], args: Sequence[str], beside: Sequence[Command] = ()
    ) -> Coroutine[Any, Any, tuple[int, int, list[Any]]]:
        """Compare, then write (lua/commit.lua); return the number of commands, whether it is written, and the reads.

        `beside`: commands that travel in the same request, whatever its result. Neither is charged yet.
        """
        return self._evaluate(self._text(_applying()), keys, args, beside, is_applying=True)

    async def written(self, patch: Patch) -> bool:
        """Write a patch where its conditions hold, and charge for it. Return whether it is written."""
        size_bytes = patch.size_bytes()
        commands, written, _ = await self.apply(*patch.request())
        charge(requests=1, commands=commands, size_bytes=size_bytes)
        return bool(written)

    async def read(self, *commands: Command) -> list[Any]:
        """Read several things of one tag as they are at one moment, by a script: never a replica's old data.

        Raises StoreError: together they are more than one answer may have.
        """
        patch = _reading(commands, _MOST_BYTES)
        size_bytes = patch.size_bytes()
        count, _, found = await self._evaluate(self._text(_applying()), *patch.request(), (), is_applying=True)
        charge(requests=1, commands=count, size_bytes=size_bytes + answer_bytes(found))
        answers = _all_of(found)
        if answers is None:
            raise StoreError(f"{commands[0][1]} and its arguments exceed {_MOST_BYTES} bytes")
        return answers

    async def read_each(self, reads: Sequence[Sequence[Command]]) -> list[list[Any] | None]:
        """Read as `read` does, of several tags, in one request; None: that one must be read by itself."""
        patches = [_reading(commands, _MOST_BYTES // len(reads)) for commands in reads]
        size_bytes, sha = sum(patch.size_bytes() for patch in patches), _sha1(self._text(_applying()))
        requests = [patch.request() for patch in patches]
        sent: list[Command] = [("EVALSHA", sha, len(keys), *keys, *args) for keys, args in requests]
        answers = await self._send(sent)
        alone = [_is_forgotten(answer) or _is_full(answer) for answer in answers]
        answers = [
            None if by_itself else self._counted(self._value(answer, command), is_applying=True)
            for answer, command, by_itself in zip(answers, sent, alone, strict=True)
        ]
        count = sum(answer[0] if answer else 1 for answer in answers)
        charge(requests=1, commands=count, size_bytes=size_bytes + answer_bytes(answers))
        return [_all_of(answer[2]) if answer else None for answer in answers]

    async def _evaluate(
        self,
        text: str,
        keys: Sequence[str],
        args: Sequence[str | int],
        beside: Sequence[Command],
        *,
        frees: bool = False,
        is_applying: bool = False,
    ) -> Any:
        sha = _sha1(text)
        rest = (len(keys), *keys, *args)
        known: Command = ("EVALSHA", sha, *rest) if sha in self._loaded else ("EVAL", text, *rest)
        answer, *others = await self._send((known, *beside))
        for command, other in zip(beside, others, strict=True):
            if isinstance(other, UpstashError):
                _log.warning("counting failed: %s", self._store_error(other, command))
        if isinstance(answer, UpstashError):
            if known[0] == "EVALSHA" and _is_forgotten(answer):
                charge(requests=1, commands=1, size_bytes=command_bytes(("", *keys, *args)))
                answer = (await self._send([("EVAL", text, *rest)]))[0]
            if _is_full(answer) and (frees or (is_applying and plan_frees(args))):
                answer = (await self._send([("EVAL", _freeing(text), *rest)]))[0]
            answer = self._value(answer, known)
        answer = self._counted(answer, is_applying=is_applying)
        self._loaded.add(sha)
        return answer

    async def try_rights(self) -> None:
        """Try what a job does with the store: over RESP, all of its commands.

        Raises StoreFullError: it takes no writes. StoreRefusedError: the user may not run one of them. StoreError: it
        does not answer.
        """
        asked = _asked(self._settings) if self._settings.resp_url else []
        refused = await self.run(counted(_PROBE), [names.WRITABLE], [json.dumps([words for words, _ in asked])])
        if refused:
            each = (asked[at - 1] for at in refused)
            raise self._denied(", ".join(f"{words[0]} on {key}" if key else " ".join(words) for words, key in each))

    async def execute(self, *command: str | int) -> Any:
        return (await self.pipeline(command))[0]

    async def pipeline(self, *commands: Sequence[str | int]) -> list[Any]:
        """Run several commands in one request; not atomic. Any error among them is raised."""
        answers = await self._send(commands)
        size_bytes = sum(map(command_bytes, commands)) + answer_bytes(answers)
        charge(requests=1, commands=len(commands), size_bytes=size_bytes)
        return [self._value(*each) for each in zip(answers, commands, strict=True)]

    async def run_beside(self, *commands: Sequence[str | int]) -> list[Any]:
        """Run commands in the HTTP request of a script that is ready now; alone they take a request of their own.

        Raises StoreError: one of them failed. The script is not affected.
        """
        answers = await self._send(commands, beside_scripts=True)
        charge(commands=len(commands), size_bytes=sum(map(command_bytes, commands)) + answer_bytes(answers))
        return [self._value(*each) for each in zip(answers, commands, strict=True)]

    async def _send(self, commands: Sequence[Command], *, beside_scripts: bool = False) -> list[Any]:
        if self.sealing.is_own:  # before an answer is opened
            await self.sealing.ready()
        try:
            answers, leads = await self._redis().execute_all(commands, beside_scripts=beside_scripts)
        except (OSError, httpx.HTTPError, UpstashError, ValueError, LookupError, TypeError, AttributeError) as error:
            # The last ones come of an answer that breaks the store's protocol.
            raise self._store_error(error) from error
        if beside_scripts:
            charge(requests=int(leads))
        elif not leads:
            share()
        return answers

    def _value(self, answer: Any, command: Command) -> Any:
        if isinstance(answer, UpstashError):
            raise self._store_error(answer, command) from answer
        return answer

    def _counted(self, answer: Any, *, is_applying: bool) -> Any:
        """Return a script's answer, which begins with its number of commands.

        Raises StoreAnswerError: it is of another form, so that nothing is known of what was written.
        """
        is_counted = answer.__class__ is list and answer and answer[0].__class__ is int
        if not is_counted or (is_applying and not _is_read(*answer)):
            raise self._store_error(ValueError("an answer of another form"))
        return answer

    def _denied(self, what: str) -> StoreRefusedError:
        settings = self._settings
        user = f"user {user_of(settings.resp_url)!r}" if settings.resp_url else "token's user"
        return StoreRefusedError(f"the store at {settings.store_place} does not let its {user} run {what}")

    def _store_error(self, error: Exception, command: Command = ()) -> StoreError:
        where = self._settings.store_place
        if isinstance(error, httpx.ProxyError):
            return StoreError(f"the store at {where} was not asked: {error}")
        if self._settings.redis_url and not self._settings.resp_url:
            where += through(self._settings.redis_url)
        if isinstance(error, TimeoutError):
            return StoreError(f"no answer from the store at {where} within {self._settings.store_timeout_seconds} s")
        if _is_full(error):
            return StoreFullError(f"the store at {where} has no memory left ({str(error)[:200]!r})")
        if isinstance(error, UpstashError):
            return self._answered(str(error), where, command)
        kind = StoreError if isinstance(error, OSError | httpx.HTTPError) else StoreAnswerError
        return kind(f"no usable answer from the store at {where} ({type(error).__name__}): is it running?")

    def _answered(self, text: str, where: str, command: Command) -> StoreError:
        if any(words in text for words in _TOO_LARGE):
            return TooLargeForStoreError(f"the store at {where} takes nothing of this size ({text[:300]!r})")
        if any(word in text for word in _REFUSED):  # a refused key has no command in it
            name, *rest = command or ("a command",)
            key = rest[2 if str(name).startswith("EVAL") else 0 :][:1]
            named = _REFUSED_COMMAND.search(text)
            what = named[1].upper() if named else " on ".join(map(str, (name, *key)))
            return self._denied(f"{what} ({text[:300]!r})")
        setting = "the password in REDIS_URL" if self._settings.resp_url else "UPSTASH_REDIS_REST_TOKEN"
        hint = f": check {setting}" if any(word in text for word in _NOT_LET_IN) else ""
        return StoreAnswerError(f"the store at {where} answered {text[:300]!r}{hint}")

    async def close(self) -> None:
        """Close connections; a later use opens them again."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()


def _asked(settings: Settings) -> list[tuple[Sequence[str], str]]:
    """Return the commands that a process may have to run, each with the key that it names."""
    key, dead, stream = names.WRITABLE, names.OPERATIONS_DEAD, settings.operations_stream_name
    asked: list[tuple[Sequence[str], str]] = [(["TIME"], ""), (["SCAN", "0"], ""), (["EVALSHA", "0", "1", key], key)]
    asked += (([name, key, key], key) for name in _ON_KEYS.split())
    if settings.operations_stream_seconds:
        asked += (([name, stream, "0"], stream) for name in _ON_STREAMS.split())
        asked += [
            (["XADD", dead, "*"], dead),
            (["XGROUP", "CREATE", stream, "0"], stream),
            (["XREADGROUP", "GROUP", "0", "0", "STREAMS", stream, ">"], stream),
        ]
    return [*asked, (["ASKING"], ""), (["CLUSTER", "SLOTS"], "")] if wants_cluster(settings.resp_url) else asked


def _reading(commands: Sequence[Command], most_bytes: int) -> Patch:
    patch = Patch(most_bytes)
    patch.read(commands)
    return patch


def _all_of(found: Sequence[Any]) -> list[Any] | None:
    """Return the values that were read; None: they are more than may be read at once."""
    return None if any(too_much for _, *too_much in found) else [value for value, *_ in found]


def _is_read(_commands: int, written: object = None, found: object = None, *more: object) -> bool:
    """Return whether what lua/commit.lua has read, or refused, has its form."""
    if more or written.__class__ is not int or not isinstance(found, list):
        return False
    return not (written and found) or all(each.__class__ is list and each for each in found)


def _is_forgotten(answer: Any) -> bool:
    """Return whether a server does not have the script that its SHA1 named: it did nothing."""
    return isinstance(answer, UpstashError) and "NOSCRIPT" in str(answer)


def _is_full(answer: Any) -> bool:
    """Return whether the store's memory is full, so that it did nothing."""
    return isinstance(answer, UpstashError) and str(answer).startswith(_FULL)
