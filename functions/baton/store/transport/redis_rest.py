"""The official SDK's commands over requests that commands share (`execute` is the SDK's one hook), and their bytes.

Invariant: an error among the answers of a request concerns its own caller alone, and so does a command that cannot be
sent or an answer that cannot be read. The SDK makes the headers and reads the answers. Bytes are those of arguments and
of answers' texts. Must not: repeat a command.
"""

from collections.abc import Sequence
from typing import Any, Literal, cast

import httpx
from pydantic_core import from_json, to_json
from upstash_redis.commands import AsyncCommands
from upstash_redis.errors import UpstashError
from upstash_redis.format import cast_response
from upstash_redis.http import format_response, make_headers

from baton.store.transport.batching import Batcher, Bounds
from baton.store.transport.http import posting
from baton_events.bounded import ACCEPTED


def command_bytes(command: Sequence[str | int]) -> int:
    """Count the bytes of a command's arguments."""
    return _text_bytes("".join(map(str, command[1:])))


def answer_bytes(answer: Any) -> int:
    """Count the bytes of an answer's texts."""
    if not answer:
        return 0
    if isinstance(answer, str):
        return _text_bytes(answer)
    if isinstance(answer, dict):
        return sum(answer_bytes(name) + answer_bytes(value) for name, value in answer.items())
    if not isinstance(answer, list | tuple):
        return 0
    try:  # most have texts alone
        return _text_bytes("".join(answer))
    except TypeError:
        return sum(map(answer_bytes, answer))


def _text_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _parsed(body: bytes, status: int) -> Any:
    """Return the answers of a request; a refusal may come as text, or with a body that looks like a success."""
    try:
        answers = from_json(body, allow_inf_nan=False)
    except ValueError:
        if httpx.codes.is_success(status):
            raise
        answers = None
    if httpx.codes.is_success(status) or (isinstance(answers, dict) and "error" in answers):
        return answers
    raise UpstashError(f"status {status}, without a reason")


Command = Sequence[str | int]
_Requests = Batcher[list[bytes], tuple[list[Any], bool]]

# Two of a kind at once keep server and wire busy; more would only make each smaller.
# On the free plan the store refuses requests above 10 MB (redis-rest.md 11).
_REQUESTS, _ENTRIES, _SIZE_BYTES = 2, 64, 1_000_000
# Plain JSON: all that we keep is UTF-8, so base64 would protect nothing, and make each answer a third larger.
_ENCODING: Literal["base64"] | None = None
_SYNC_TOKEN, _TOKEN_NAME = b"Upstash-Sync-Token", b"upstash-sync-token"


class RedisCommands(AsyncCommands):
    """Every method of the SDK's client, on one HTTP transport, in one event loop."""

    def __init__(
        self, url: str, token: str, http: httpx.AsyncBaseTransport, limit_seconds: float, requests: int = _REQUESTS
    ) -> None:
        # No httpx client: it would parse the address, merge headers, look for cookies and redirects for each request.
        self._http = http
        own = {"Host": httpx.URL(url).netloc.decode(), "Accept-Encoding": ACCEPTED, "Content-Type": "application/json"}
        headers = httpx.Headers({**own, **make_headers(token, _ENCODING, allow_telemetry=False)}).raw
        self._one, self._several = (posting(http, httpx.URL(to), headers) for to in (url, f"{url}/pipeline"))
        # The store's last token: it lets a reader see earlier writes (redis-rest.md 6).
        self._sync_token = b""
        bounds = Bounds(requests, _ENTRIES, _SIZE_BYTES, limit_seconds)
        # Separate, so that no step waits for the large answers of readers.
        self._scripts: _Requests = Batcher(self._send, bounds)
        self._others: _Requests = Batcher(self._send, bounds)

    async def execute(self, command: list[Any]) -> Any:
        """Run one command. Raises UpstashError: the store refused it."""
        (answer,), _ = await self.execute_all([command])
        if isinstance(answer, UpstashError):
            raise answer
        return answer

    async def execute_all(self, commands: Sequence[Command], *, beside_scripts: bool = False) -> tuple[list[Any], bool]:
        """Run commands in one request, one after the other, not atomically.

        `beside_scripts`: they share a request with the scripts that are ready now, not with readers' commands.

        Return each one's answer or UpstashError, and whether they are the first in their request, among those who share
        it.
        """
        written = [to_json(command) for command in commands]
        scripts = beside_scripts or str(commands[0][0]).startswith("EVAL")
        batcher = self._scripts if scripts else self._others
        answers, leads = await batcher.send(written, len(written), sum(map(len, written)))
        return [self._read(command, answer) for command, answer in zip(commands, answers, strict=True)], leads

    async def close(self) -> None:
        """Give up running requests and close connections."""
        await self._scripts.close()
        await self._others.close()
        await self._http.aclose()

    def _read(self, command: Command, answer: Any) -> Any:
        try:
            value = format_response(answer, _ENCODING)
        except UpstashError as error:
            return error
        return cast_response(cast("list[str]", command), value, self)

    async def _send(self, items: list[list[bytes]]) -> list[tuple[list[Any], bool]]:
        written = [command for send in items for command in send]
        alone = len(written) == 1
        to, content = (self._one, written[0]) if alone else (self._several, b"[%b]" % b",".join(written))
        answer = await to(content, (_SYNC_TOKEN, self._sync_token))
        for name, value in answer.headers:
            if name.lower() == _TOKEN_NAME and value:
                self._sync_token = value
        answers = _parsed(b"".join(answer.body), answer.status)
        if alone:
            return [([answers], True)]
        if isinstance(answers, dict):
            raise UpstashError(answers["error"])
        if len(answers) != len(written):
            raise ValueError(f"{len(answers)} answers to {len(written)} commands")
        following = iter(answers)
        return [([next(following) for _ in send], send is items[0]) for send in items]
