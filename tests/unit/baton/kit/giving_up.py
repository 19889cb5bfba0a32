"""The queue gives up on a message: the failure callback that it sends, and the function that takes it."""

import base64
import json
from typing import Any

from baton.observability.alerts import Alerting
from baton.queue.dispatch import Outcome
from baton.sdk.records.redaction import KnownSecrets
from baton.worker.recovery.redelivery import Redelivery, read_callback
from baton.worker.runtime.post_commit import PostCommit
from baton_events.schema import Event, encode_event
from baton_events.sealing import Sealing
from tests.unit.baton.kit.stage import BASE, Stage

SECRET = "a-key-of-somebody"


def encoded(text: bytes) -> str:
    return base64.b64encode(text).decode()


def callback(source: bytes, source_id: str = "m1", **changes: Any) -> bytes:
    """A failure callback's body (qstash.md 11)."""
    found = {
        "status": 500,
        "header": {},
        "body": encoded(b"it broke"),
        "retried": 3,
        "maxRetries": 3,
        "sourceMessageId": source_id,
        "url": f"{BASE}/workers/agent-loop",
        "method": "POST",
        "sourceHeader": {},
        "sourceBody": encoded(source),
        "notBefore": 1,
        "createdAt": 1,
        "dlqId": "dlq_1",
        **changes,
    }
    return json.dumps({name: value for name, value in found.items() if value is not None}).encode()


def redelivery_of(stage: Stage) -> Redelivery:
    container = stage.container
    emitter, clock = container.emitter, stage.clock
    alerting = Alerting(stage.alerts, KnownSecrets((SECRET,)), BASE)
    post_commit = PostCommit(container.operations.outcomes, alerting, container.ports.admission, clock)
    return Redelivery(
        stage.store, container.commands, stage.sweep, emitter, clock, post_commit, container.app_events.handle
    )


async def give_up(stage: Stage, event: Event, callback_id: str, source_id: str = "m1", **changes: Any) -> Outcome:
    failed = read_callback(callback(encode_event(event).encode(), source_id, **changes), Sealing({}))
    return await redelivery_of(stage).handle(failed, callback_id, 0)
