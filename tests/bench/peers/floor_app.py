"""The least that a pipeline of webhooks can do a step: verify, run it, one script at Redis, one message onward.

No framework: no retries, leases, limits, transcript, stream or admission. `hop`: a message a step; `inline`: all steps
in one delivery. Served by uvicorn as `tests.bench.peers.floor_app:app`; the environment says where the rest is.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import redis.asyncio as redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.bench.peers import work
from tests.bench.peers.environment import setting
from tests.bench.peers.peer import LOOPBACK
from tests.bench.peers.signing import verify

KEEP_SECONDS = 60
MANY_CALLS = 50
# Commit a step once; answers whether it is new, and how many are committed. A duplicate delivery changes nothing.
COMMIT = """
if redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2]) == 0 then return {0, 0} end
redis.call('EXPIRE', KEYS[1], ARGV[3])
local n = redis.call('HLEN', KEYS[1])
if ARGV[4] ~= '' then redis.call('RPUSH', 'done', ARGV[4]) end
return {1, n}
"""
CLAIM = "redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[2]) return redis.call('HGETALL', KEYS[1])"
Post = Callable[[str, Any], Awaitable[None]]


def _httpx_post(base: str) -> Post:
    import httpx  # noqa: PLC0415 - one of the two stacks

    client = httpx.AsyncClient(base_url=base, timeout=30)

    async def post(path: str, body: Any) -> None:
        answer = await client.post(path, content=json.dumps(body), headers={"authorization": "Bearer t"})
        answer.raise_for_status()
        json.loads(answer.content)

    return post


def _aiohttp_post(base: str) -> Post:
    import aiohttp  # noqa: PLC0415 - one of the two stacks

    client = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))

    async def post(path: str, body: Any) -> None:
        headers = {"authorization": "Bearer t"}
        async with client.post(f"{base}{path}", data=json.dumps(body).encode(), headers=headers) as answer:
            answer.raise_for_status()
            json.loads(await answer.read())

    return post


class Floor:
    """Both ways to do a job. Connects on first use."""

    def __init__(self) -> None:
        pool = redis.BlockingConnectionPool.from_url(setting("BENCH_REDIS"), max_connections=64, timeout=30)
        self._db = redis.Redis(connection_pool=pool)
        base = f"http://{LOOPBACK}:{setting('FLOOR_QUEUE')}"
        self._post = _aiohttp_post(base) if setting("FLOOR_CLIENT") == "aiohttp" else _httpx_post(base)
        self._commit = self._db.register_script(COMMIT)
        self._claim = self._db.register_script(CLAIM)
        self._late: dict[str, list[int]] = {}

    async def _committed(self, job: str, field: str, value: Any, done: str = "") -> list[int]:
        answer: list[int] = await self._commit([f"job:{job}"], [field, json.dumps(value), KEEP_SECONDS, done])
        return answer

    def _note(self, event: dict[str, Any], at: int) -> None:
        """Keep a step's time: in the message, or in a long job (whose messages would grow) in this process."""
        long = event["variant"] == "seq" and work.calls_wanted("seq") > MANY_CALLS
        (self._late.setdefault(event["job"], []) if long else event["ts"]).append(at)

    async def hop(self, event: dict[str, Any]) -> None:
        await work.pause(event["job"])
        await (self._turn(event) if event["kind"] == "model" else self._call(event))

    async def _turn(self, event: dict[str, Any]) -> None:
        job, number = event["job"], event["n"]
        turn = work.model_step(job, event["variant"], (), number)
        self._note(event, turn["ts"])
        calls = turn["tool_calls"]
        done = "" if calls else f"{job}|{json.dumps(self._late.pop(job, None) or event['ts'])}"
        new, _ = await self._committed(job, f"m{number}", turn, done)
        if new and len(calls) == 1:
            await self._post("/publish/hop", {**event, "kind": "tool", "call": calls[0]})
        elif new and calls:
            await self._post("/batch", [{**event, "kind": "tool", "call": call} for call in calls])

    async def _call(self, event: dict[str, Any]) -> None:
        result = work.tool_step(event["job"], event["call"])
        self._note(event, result["ts"])
        new, have = await self._committed(event["job"], event["call"]["id"], result)
        width = work.FAN if event["variant"] == "fan" else 1
        if new and (width == 1 or have == width + 1):
            if width > 1:
                event["ts"] = event["ts"][:1] * width + event["ts"][1:]
            await self._post("/publish/hop", {**event, "kind": "model", "n": event["n"] + width, "call": None})

    async def inline(self, event: dict[str, Any]) -> None:
        """All steps; a redelivery goes on with what is committed."""
        job, variant = event["job"], event["variant"]
        flat = await self._claim([f"job:{job}", f"lease:{job}"], ["me", KEEP_SECONDS])
        have = {flat[at].decode(): json.loads(flat[at + 1]) for at in range(0, len(flat), 2)}
        messages, number = work.start(), 0
        while True:
            turn = have.get(f"m{number}") or await self._turn_in_place(job, variant, messages, number)
            messages.append(turn)
            calls = turn["tool_calls"]
            if not calls:
                return
            messages += await asyncio.gather(*(self._call_in_place(job, call, have) for call in calls))
            number += len(calls)

    async def _turn_in_place(self, job: str, variant: str, messages: list[dict[str, Any]], number: int) -> Any:
        await work.pause(job)
        turn = work.model_step(job, variant, messages, number)
        done = "" if turn["tool_calls"] else f"{job}|{json.dumps([*work.stamps(messages), turn['ts']])}"
        await self._committed(job, f"m{number}", turn, done)
        return turn

    async def _call_in_place(self, job: str, call: dict[str, Any], have: dict[str, Any]) -> Any:
        if call["id"] in have:
            return have[call["id"]]
        await work.pause(job)
        result = work.tool_step(job, call)
        await self._committed(job, call["id"], result)
        return result


_floor: list[Floor] = []


async def _answer(request: Request) -> Response:
    body = await request.body()
    verify(request.headers["upstash-signature"], body)
    if not _floor:
        _floor.append(Floor())
    floor = _floor[0]
    await (floor.inline if request.url.path == "/inline" else floor.hop)(json.loads(body))
    return Response(b"{}", media_type="application/json")


app = Starlette(routes=[Route("/hop", _answer, methods=["POST"]), Route("/inline", _answer, methods=["POST"])])
