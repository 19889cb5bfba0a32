import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from qstash.log import LogState

from tests.contract.qstash.destination import Destination
from tests.contract.qstash.either_client import EitherClient
from tests.contract.qstash.kill_plan import KilledServer, blows, free_port
from tests.contract.qstash.kill_traffic import FLAKY_FAILURES, GROUP_PATHS, QUEUES, Traffic

pytestmark = pytest.mark.e2e

Eventually = Callable[[Callable[[], Awaitable[object]]], Awaitable[object]]

KILLS = 20
MOST_KILLS = 60  # as often as a slow machine needs, on which clients get little done between two of them
LIMIT_SECONDS = 300
KEPT_RETRY_MS = 6_000
CLOCK_TOLERANCE_SECONDS = 0.01


async def make_what_must_survive(traffic: Traffic, eventually: Eventually) -> dict[str, str]:
    """Before the first blow: names, a dead letter, a used deduplication id, and a message that has failed once."""
    sdk, url = traffic.client(), traffic.destination.url
    await sdk.url_group.upsert_endpoints("group", [{"url": url(path)} for path in GROUP_PATHS])
    await sdk.queue.upsert("kept", parallelism=3)
    await sdk.schedule.create(schedule_id="kept", destination=url("/kept"), cron="0 0 1 1 *", body="kept")
    await sdk.schedule.pause("kept")
    made = {
        "dead": (await sdk.message.publish(url=url("/failing"), body="dead", retries=0)).message_id,
        "used": (await sdk.message.publish(url=url("/plain"), deduplication_id="used")).message_id,
        "failed once": (
            await sdk.message.publish(url=url("/kept"), body="x", retries=1, retry_delay=str(KEPT_RETRY_MS))
        ).message_id,
    }

    async def failed_as_planned() -> bool:
        retried = await sdk.log.list(filter={"message_id": made["failed once"], "state": LogState.RETRY})
        return bool(retried.logs) and made["dead"] in await dead_letters(sdk)

    await eventually(failed_as_planned)
    await sdk.close()
    return made


async def dead_letters(sdk: EitherClient) -> Counter[str]:
    found, cursor = Counter[str](), None
    for _ in itertools.count():
        page = await sdk.dlq.list(cursor=cursor, count=100)
        found.update(message.message_id for message in page.messages)
        if (cursor := page.cursor) is None:
            return found
    raise AssertionError("unreachable")


@pytest.mark.long
@pytest.mark.parametrize("seed", [1])
async def test_nothing_promised_is_lost_though_the_server_is_killed_twenty_times(
    tmp_path: Path, eventually: Eventually, seed: int
) -> None:
    """Clients publish in every way while the server is killed with SIGKILL, while it works and while it starts."""
    with Destination() as destination:
        server = KilledServer(tmp_path, free_port())
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                traffic = Traffic(server.port, destination)
                made = await make_what_must_survive(traffic, eventually)
                async with asyncio.TaskGroup() as clients:
                    traffic.start(clients)
                    for number, blow in enumerate(blows(seed, MOST_KILLS)):
                        if number >= KILLS and min(map(len, traffic.promises.accepted.values()), default=0) >= KILLS:
                            break
                        await server.strike(blow)
                    traffic.stop()
                await everything_arrives(traffic, made, eventually)
                await names_survived(traffic, made)
                await nothing_was_sent_before_it_was_kept(traffic)
            order_held(traffic)
            attempts_were_counted(traffic, made)
            assert await asyncio.to_thread(server.running.stop) == (0, "")
        finally:
            with server.running:  # whatever happened, no process stays behind
                pass


async def everything_arrives(traffic: Traffic, made: dict[str, str], eventually: Eventually) -> None:
    """Each message that was acknowledged is delivered, after the failures that it has to expect, or a dead letter."""
    promises, arrivals, sdk = traffic.promises, traffic.arrivals, traffic.client()
    for path, accepted in promises.accepted.items():
        assert len(accepted) >= KILLS, f"too little at {path} to tell"
    last_attempt = dict.fromkeys(promises.all_accepted() | set(made.values()), 0)
    last_attempt |= dict.fromkeys(promises.accepted["/flaky"], FLAKY_FAILURES) | {made["failed once"]: 1}
    failing = {*promises.accepted["/failing"], made["dead"]}

    async def arrived() -> bool:
        return all(last in arrivals.attempts[message_id] for message_id, last in last_attempt.items())

    async def dead() -> bool:
        return failing <= (await dead_letters(sdk)).keys()

    await eventually(arrived)
    await eventually(dead)
    assert max((await dead_letters(sdk)).values()) == 1
    await sdk.close()


async def names_survived(traffic: Traffic, made: dict[str, str]) -> None:
    """Groups, queues, schedules, deduplication windows: what was acknowledged last is what there is."""
    sdk, promises = traffic.client(), traffic.promises
    assert promises.schedules <= {schedule.schedule_id for schedule in await sdk.schedule.list()}
    assert promises.groups | {"group"} <= {group.name for group in await sdk.url_group.list()}
    assert (await sdk.queue.get("kept")).parallelism == 3
    kept = await sdk.schedule.get("kept")
    assert (kept.cron, kept.body, kept.paused) == ("0 0 1 1 *", "kept", True)
    again = await sdk.message.publish(url=traffic.destination.url("/plain"), deduplication_id="used")
    assert (again.message_id, again.deduplicated) == (made["used"], True)
    await sdk.close()


async def nothing_was_sent_before_it_was_kept(traffic: Traffic) -> None:
    """What was delivered is known to the server, though its publisher was never answered."""
    sdk = traffic.client()
    for message_id in traffic.arrivals.first_at.keys() - traffic.promises.all_accepted():
        assert (await sdk.message.get(message_id)).message_id == message_id
    await sdk.close()


def order_held(traffic: Traffic) -> None:
    """First deliveries of a queue came in the order in which its messages were acknowledged; none came too early."""
    promises, arrivals = traffic.promises, traffic.arrivals
    for queue in QUEUES:
        accepted = promises.accepted[f"/queue/{queue}"]
        known = set(accepted)
        assert [each for each in arrivals.order[f"/queue/{queue}"] if each in known] == accepted
    early = {
        message_id: not_before - arrivals.first_at[message_id]
        for message_id, not_before in promises.not_before.items()
        if arrivals.first_at[message_id] < not_before - CLOCK_TOLERANCE_SECONDS
    }
    assert early == {}


def attempts_were_counted(traffic: Traffic, made: dict[str, str]) -> None:
    """No attempt number was forgotten or skipped, and no deduplication id let a second message in."""
    arrivals, promises = traffic.arrivals, traffic.promises
    for message_id in promises.accepted["/flaky"]:
        assert arrivals.attempts[message_id].keys() == set(range(FLAKY_FAILURES + 1))
    for message_id in promises.accepted["/failing"]:
        assert arrivals.attempts[message_id].keys() == {0, 1}
    assert arrivals.attempts[made["failed once"]].keys() == {0, 1}
    assert arrivals.attempts[made["failed once"]][0] == 1
    for number in range(len(promises.accepted["/repeated"])):
        assert len(arrivals.ids_of_body[f"{number}".encode()]) == 1
