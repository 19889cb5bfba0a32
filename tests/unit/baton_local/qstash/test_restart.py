import asyncio
import contextlib
import sqlite3
from pathlib import Path

import pytest

from baton_local.qstash.core.message import AttemptResult
from baton_local.qstash.settings import DEVELOPMENT_USERS, User
from tests.unit.baton_local.qstash.served import serving
from tests.unit.baton_local.qstash.virtual_clock import VirtualClock

URL = "https://example.com/hook"
FAILURE = AttemptResult(500, {}, b"no")


def hang(_request: object) -> AttemptResult:
    raise asyncio.CancelledError


async def test_everything_unfinished_survives_a_restart(tmp_path: Path) -> None:
    """Messages with attempt counts, dead letters, windows, groups, keys, counters."""
    clock = VirtualClock()
    async with serving(tmp_path, clock=clock) as server:
        server.answer = lambda _request: FAILURE
        headers = {"Upstash-Retries": "2", "Upstash-Retry-Delay": "60000", "Upstash-Deduplication-Id": "d"}
        retrying = (await server.call("POST", f"/v2/publish/{URL}", content=b"\xff", headers=headers))["messageId"]
        await server.call("POST", f"/v2/publish/{URL}", headers={"Upstash-Retries": "0"})
        delayed = (await server.call("POST", f"/v2/publish/{URL}/2", headers={"Upstash-Delay": "1h"}))["messageId"]
        await server.call("POST", "/v2/topics/g/endpoints", json={"endpoints": [{"url": URL}]})
        keys = await server.call("POST", "/v2/keys/rotate")
        await server.settle()
        dlq = await server.call("GET", "/v2/dlq")
        counters = await server.call("GET", "/admin/counters")

    async with serving(tmp_path, clock=clock) as server:
        assert await server.call("GET", "/v2/dlq") == dlq
        assert await server.call("GET", "/v2/keys") == keys
        assert await server.call("GET", "/admin/counters") == counters
        assert [group["name"] for group in await server.call("GET", "/v2/topics")] == ["g"]
        duplicate = await server.client.post(f"/v2/publish/{URL}", headers={"Upstash-Deduplication-Id": "d"})
        assert duplicate.status_code == 202
        assert duplicate.json()["messageId"] == retrying
        await server.advance(61)
        (again,) = server.sent
        assert dict(again.headers)["Upstash-Message-Id"] == retrying
        assert dict(again.headers)["Upstash-Retried"] == "1"
        assert again.body == b"\xff"
        await server.advance(3_600)
        assert dict(server.sent[-1].headers)["Upstash-Message-Id"] == delayed


async def test_attempt_in_flight_is_repeated_with_the_same_number(tmp_path: Path) -> None:
    """At least once: what was not answered when the server ended is sent again."""
    clock = VirtualClock()
    async with serving(tmp_path, clock=clock) as server:
        server.answer = hang
        message_id = (await server.call("POST", f"/v2/publish/{URL}"))["messageId"]
    async with serving(tmp_path, clock=clock) as server:
        await server.settle()
        assert [dict(request.headers)["Upstash-Message-Id"] for request in server.sent] == [message_id]
        assert dict(server.sent[0].headers)["Upstash-Retried"] == "0"


async def test_cancelled_message_is_not_sent_again_after_a_restart(tmp_path: Path) -> None:
    """One that waited, one in flight, and one whose queue was deleted while it was in flight: all end as cancelled."""
    clock = VirtualClock()
    async with serving(tmp_path, clock=clock) as server:
        server.answer = hang
        ids = [
            (await server.call("POST", f"/v2/publish/{URL}"))["messageId"],
            (await server.call("POST", f"/v2/publish/{URL}", headers={"Upstash-Delay": "5s"}))["messageId"],
            (await server.call("POST", f"/v2/enqueue/q/{URL}"))["messageId"],
        ]
        for message_id in ids[:2]:
            await server.call("DELETE", f"/v2/messages/{message_id}")
        await server.call("DELETE", "/v2/queues/q")
    async with serving(tmp_path, clock=clock) as server:
        await server.advance(3_600)
        assert not server.sent
        for message_id in ids:
            events = (await server.call("GET", f"/v2/events?messageId={message_id}"))["events"]
            assert [event["state"] for event in events][:2] == ["CANCELED", "CANCEL_REQUESTED"]


async def test_flow_control_outlives_a_restart(tmp_path: Path) -> None:
    """What was started in a window counts in it; an older message, still unfinished, brings no limits of its own."""
    clock = VirtualClock()
    key = {"Upstash-Flow-Control-Key": "k"}
    window = {"Upstash-Flow-Control-Key": "w", "Upstash-Flow-Control-Value": "rate=2,period=60s"}
    async with serving(tmp_path, clock=clock) as server:
        old = key | {"Upstash-Flow-Control-Value": "parallelism=1", "Upstash-Delay": "1h"}
        await server.call("POST", f"/v2/publish/{URL}", headers=old)
        new = key | {"Upstash-Flow-Control-Value": "parallelism=7", "Upstash-Delay": "1h"}
        await server.call("POST", f"/v2/publish/{URL}", headers=new)
        for _ in range(5):
            await server.call("POST", f"/v2/publish/{URL}", headers=window)
        await server.settle()
        assert len(server.sent) == 2
    async with serving(tmp_path, clock=clock) as server:
        assert (await server.call("GET", "/v2/flowControl/k"))["parallelismMax"] == 7
        await server.advance(59)
        assert not server.sent
        await server.advance(1)
        assert len(server.sent) == 2


async def test_finished_messages_are_forgotten_in_time(tmp_path: Path) -> None:
    """Retention removes messages with their events, and nothing that is unfinished or a dead letter."""
    async with serving(tmp_path) as server:
        delivered = (await server.call("POST", f"/v2/publish/{URL}"))["messageId"]
        waiting = (await server.call("POST", f"/v2/publish/{URL}", headers={"Upstash-Delay": "9d"}))["messageId"]
        await server.settle()
        server.answer = lambda _request: FAILURE
        await server.call("POST", f"/v2/publish/{URL}", headers={"Upstash-Retries": "0"})
        await server.advance(25 * 3_600)
        await server.call("POST", f"/v2/publish/{URL}", headers={"Upstash-Delay": "1h"})
        assert (await server.client.get(f"/v2/messages/{delivered}")).status_code == 404
        assert (await server.client.get(f"/v2/messages/{waiting}")).status_code == 200
        assert len((await server.call("GET", "/v2/dlq"))["messages"]) == 1
        assert (await server.call("GET", f"/v2/events?messageId={delivered}"))["events"] == []


async def test_room_is_bounded_by_forgetting_the_oldest(tmp_path: Path) -> None:
    """Beyond the size bound the oldest go first, even before their time; the bound also holds over several runs."""
    clock, ids = VirtualClock(), list[str]()
    settings = {"keep_finished_bytes": 1_000_000}
    for _ in range(3):
        async with serving(tmp_path, clock=clock, settings=settings) as server:
            for _ in range(10):
                ids += [(await server.call("POST", f"/v2/publish/{URL}", content=b"x" * 200_000))["messageId"]]
                await server.advance(2)
            await server.call("POST", "/v2/keys/rotate")
    async with serving(tmp_path, clock=clock, settings=settings) as server:
        known = [(await server.client.get(f"/v2/messages/{each}")).status_code == 200 for each in ids]
        assert known == sorted(known)
        assert 3 <= sum(known) <= 5
        page = await server.call("GET", "/v2/events?count=1000")
        assert {event["messageId"] for event in page["events"]} == set(ids[-sum(known) :])


async def test_what_another_version_wrote_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "qstash.db")) as other:
        other.execute("CREATE TABLE meta(key TEXT)")
    with pytest.raises(RuntimeError, match="another data folder"):
        async with serving(tmp_path):
            pass


async def test_newly_configured_keys_win_over_rotated_ones(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        rotated = await server.call("POST", "/v2/keys/rotate")
    user = DEVELOPMENT_USERS[0]
    for current, following, found in [
        (user.current_signing_key, user.next_signing_key, rotated),
        ("sig_new", "sig_newer", {"current": "sig_new", "next": "sig_newer"}),
    ]:
        users = (User(user.id, user.token, current, following),)
        async with serving(tmp_path, settings={"users": users}) as server:
            assert await server.call("GET", "/v2/keys") == found
