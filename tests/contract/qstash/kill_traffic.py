"""What clients send through a server that is killed again and again, and what they were promised for it.

Every client uses the official SDK, repeats a call until it is answered, and notes what the answer promised; calls whose
answers were lost promise nothing. A client that stops has no call under way.
"""

import asyncio
import itertools
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

from baton_local.qstash.settings import DEVELOPMENT_USERS
from tests.contract.qstash.destination import Destination, Received, Reply
from tests.contract.qstash.either_client import RETRY_FAST, EitherClient

QUEUES = ("first", "second")
GROUP_PATHS = ("/group/1", "/group/2", "/group/3")
DELAY_SECONDS = 1
FLAKY_FAILURES = 2
_PAUSE_SECONDS = 0.01
_WORK_SECONDS, _BURST, _BURST_PAUSE_SECONDS = 0.03, 5, 0.15
_NEVER = "0 0 1 1 *"


@dataclass
class Arrivals:
    """What the destination has seen, by path: message ids in the order of their first arrival, and more of each."""

    order: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    attempts: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    ids_of_body: dict[bytes, set[str]] = field(default_factory=lambda: defaultdict(set))
    first_at: dict[str, float] = field(default_factory=dict)

    def answer(self, request: Received) -> Reply:
        """Take in one delivery; `/failing` fails for ever, `/flaky` and `/kept` at first."""
        message_id, retried = request.headers["upstash-message-id"], int(request.headers["upstash-retried"])
        if message_id not in self.first_at:
            self.first_at[message_id] = time.monotonic()
            self.order[request.path].append(message_id)
        self.attempts[message_id][retried] += 1
        self.ids_of_body[request.body].add(message_id)
        if request.path.startswith("/queue/"):
            time.sleep(_WORK_SECONDS)  # so that some wait in the queue whenever the server is killed
        failures = {"/failing": retried + 1, "/flaky": FLAKY_FAILURES, "/kept": 1}.get(request.path, 0)
        return Reply(500 if retried < failures else 200)


@dataclass
class Promises:
    accepted: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))  # path → ids, in order
    not_before: dict[str, float] = field(default_factory=dict)  # message id → time
    schedules: set[str] = field(default_factory=set)
    groups: set[str] = field(default_factory=set)

    def all_accepted(self) -> set[str]:
        return set(itertools.chain.from_iterable(self.accepted.values()))


class Traffic:
    def __init__(self, port: int, destination: Destination) -> None:
        self.promises = Promises()
        self.arrivals = Arrivals()
        self.destination = destination
        self._url = f"http://127.0.0.1:{port}"
        self._stopped = False
        paths = ("/plain", "/delayed", "/flaky", "/failing", "/repeated", "/kept", *GROUP_PATHS)
        for path in (*paths, *(f"/queue/{name}" for name in QUEUES)):
            destination.replies[path] = self.arrivals.answer

    def start(self, group: asyncio.TaskGroup) -> None:
        for kind, work in [
            ("sync", self._publish),
            ("async", self._publish),
            ("async", self._publish_later),
            ("async", self._publish_to_group),
            ("async", self._publish_flaky),
            ("async", self._publish_failing),
            ("sync", self._publish_twice),
            ("async", self._make_things),
        ]:
            group.create_task(self._repeat(kind, work))
        for name in QUEUES:
            group.create_task(self._repeat("async", partial(self._enqueue, name)))

    def stop(self) -> None:
        self._stopped = True

    def client(self, kind: str = "async") -> EitherClient:
        return EitherClient(kind, DEVELOPMENT_USERS[0].token, self._url, retry=RETRY_FAST)

    async def _repeat(self, kind: str, work: Callable[[EitherClient, int], Awaitable[None]]) -> None:
        sdk = self.client(kind)
        for number in itertools.count():
            if self._stopped:
                break
            await work(sdk, number)
            await asyncio.sleep(_PAUSE_SECONDS)
        await sdk.close()

    async def _publish(self, sdk: EitherClient, _number: int) -> None:
        answer = await sdk.message.publish(url=self.destination.url("/plain"), body="x")
        self.promises.accepted["/plain"].append(answer.message_id)

    async def _publish_later(self, sdk: EitherClient, _number: int) -> None:
        requested_at = time.monotonic()
        answer = await sdk.message.publish(url=self.destination.url("/delayed"), body="x", delay=f"{DELAY_SECONDS}s")
        self.promises.accepted["/delayed"].append(answer.message_id)
        self.promises.not_before[answer.message_id] = requested_at + DELAY_SECONDS

    async def _publish_to_group(self, sdk: EitherClient, _number: int) -> None:
        answers = await sdk.message.publish(url_group="group", body="x")
        assert len(answers) == len(GROUP_PATHS)
        for answer in answers:
            path = answer.url.removeprefix(self.destination.url(""))
            self.promises.accepted[path].append(answer.message_id)

    async def _publish_flaky(self, sdk: EitherClient, _number: int) -> None:
        url = self.destination.url("/flaky")
        answer = await sdk.message.publish(url=url, body="x", retries=FLAKY_FAILURES, retry_delay="50")
        self.promises.accepted["/flaky"].append(answer.message_id)

    async def _publish_failing(self, sdk: EitherClient, _number: int) -> None:
        url = self.destination.url("/failing")
        answer = await sdk.message.publish(url=url, body="x", retries=1, retry_delay="50")
        self.promises.accepted["/failing"].append(answer.message_id)

    async def _publish_twice(self, sdk: EitherClient, number: int) -> None:
        options = {"url": self.destination.url("/repeated"), "body": f"{number}", "deduplication_id": f"{number}"}
        first = await sdk.message.publish(**options)
        second = await sdk.message.publish(**options)
        assert (second.message_id, second.deduplicated) == (first.message_id, True)
        self.promises.accepted["/repeated"].append(first.message_id)

    async def _enqueue(self, queue: str, sdk: EitherClient, _number: int) -> None:
        for _ in range(_BURST):
            answer = await sdk.message.enqueue(queue=queue, url=self.destination.url(f"/queue/{queue}"), body="x")
            self.promises.accepted[f"/queue/{queue}"].append(answer.message_id)
        await asyncio.sleep(_BURST_PAUSE_SECONDS)

    async def _make_things(self, sdk: EitherClient, number: int) -> None:
        name, url = f"made-{number}", self.destination.url("/plain")
        await sdk.schedule.create(schedule_id=name, destination=url, cron=_NEVER)
        self.promises.schedules.add(name)
        await sdk.url_group.upsert_endpoints(name, [{"url": url}])
        self.promises.groups.add(name)
