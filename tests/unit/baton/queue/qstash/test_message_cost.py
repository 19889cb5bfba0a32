"""What a message costs of our own code, counted: its signature, its schema, and publishing the next one.

No time is measured: other programs would change it. Whoever makes one leaner lowers the number here; whoever makes it
fatter has to say so here.
"""

from collections.abc import Awaitable, Callable
from cProfile import Profile
from typing import Any

from baton.engine.outbox import event_of
from baton.engine.work_items import loop_item
from baton.queue.qstash.publisher import QStashQueue
from baton.queue.verifier import QueueVerifier
from baton.settings.settings import Settings
from baton_events.emitter import Emitter
from baton_events.schema import encode_event, parse_event
from tests.unit.baton.kit.signing import verify
from tests.unit.baton.queue.qstash.test_verifier import CURRENT, URL, signed

# By Python 3.11; later ones take fewer.
MOST_OF_SIGNATURE, MOST_OF_SCHEMA, MOST_OF_PUBLISHING = 52, 6, 300
EVENT = event_of("session_1", loop_item("job_a", 1, 1, 1_800_000_000_000))
BODY = encode_event(EVENT).encode()
SETTINGS = Settings(worker_base_url="https://fn.example.com", qstash_token="t", current_signing_key=CURRENT)
REPEATS = 20


async def calls(work: Callable[[], Awaitable[object]]) -> float:
    """How many functions are called, of Python and of C, once what is made on first use is there."""
    await work()
    profiler = Profile()
    profiler.enable()
    for _ in range(REPEATS):
        await work()
    profiler.disable()
    return sum(entry.callcount for entry in profiler.getstats()) / REPEATS


async def test_a_signature_and_a_schema_take_few_calls() -> None:
    verifier, signature = QueueVerifier(SETTINGS), signed(of=BODY)

    async def verified() -> None:
        verify(verifier, signature, BODY, URL)

    async def read() -> None:
        parse_event(BODY)

    assert parse_event(BODY) == EVENT
    assert await calls(verified) <= MOST_OF_SIGNATURE
    assert await calls(read) <= MOST_OF_SCHEMA


async def test_publishing_takes_few_calls_up_to_the_connection() -> None:
    """Through the SDK; only its HTTP client is another one."""
    queue = QStashQueue(SETTINGS)
    emitter, paths = Emitter(SETTINGS, queue), list[str]()

    async def request(*, path: str, **_: Any) -> dict[str, str]:
        paths.append(path)
        return {"messageId": "msg_1"}

    queue._client.sdk.http.request = request  # type: ignore[method-assign]
    assert await calls(lambda: emitter.emit(EVENT, deduplication_id="d1")) <= MOST_OF_PUBLISHING
    assert len(paths) == REPEATS + 1
