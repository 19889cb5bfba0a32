"""`emit`: publishes an app event from any program, with the settings of its environment.

Inside a tool or a handler the event is the call's: its job's tenant, and the same id in every attempt. Invariant: who
runs a call says so in `OF_CALL`, for the time of the call. Must not: keep a connection, which belongs to an event loop.
"""

import secrets
import time
from contextvars import ContextVar
from typing import Any, Protocol

from baton_events.app_event import app_event, delay_ms
from baton_events.emitter import Emitter, sealing_in
from baton_events.ids import subject_digest


class Emit(Protocol):
    """Publishes an app event."""

    async def __call__(self, name: str, data: Any = None, key: str = "", delay_seconds: float = 0) -> str:
        """Publish it; returns its id."""
        ...


OF_CALL: ContextVar[Emit | None] = ContextVar("emit_of_call", default=None)


async def emit(name: str, data: Any = None, key: str = "", delay_seconds: float = 0, *, subject_id: str = "") -> str:
    """Publish an app event; returns its id.

    `asyncio.run(emit("order.created", {"number": "A-7"}, key="A-7"))` in a program that is not async. Many events go
    faster by an `Emitter`, which keeps its connection.

    Args:
        name: such as "order.created".
        data: any JSON, at most 256 KB; handlers check it against their schema.
        key: what it is about, such as an order's number: handlers may take events of one key in order.
        delay_seconds: it is not delivered before; at most 7 days.
        subject_id: the person whose data it has, for a later erasure. Inside a call it is always the job's.

    Raises:
        AppEventError, TooLargeError: it cannot be sent.
        SettingsError: QSTASH_TOKEN or WORKER_BASE_URL is missing.
        PublishError: the queue did not accept it.
    """
    of_call = OF_CALL.get()
    if of_call is not None:
        return await of_call(name, data, key, delay_seconds)
    return await _emit_by_environment(name, data, key, delay_seconds, subject_id)


async def _emit_by_environment(name: str, data: Any, key: str, delay_seconds: float, subject_id: str) -> str:
    """Publish it over a connection of its own, as the environment's tenant."""
    from baton_events.emitter_settings import EmitterSettings  # noqa: PLC0415 - functions have settings of their own

    settings = EmitterSettings.from_environment()
    now_ms = int(time.time() * 1000)  # noqa: TID251 - a program that only publishes has no clock of ours
    delayed_ms, event_id = delay_ms(delay_seconds), f"evt_{secrets.token_hex(12)}"
    digest = subject_digest(settings.tenant, subject_id)
    of_whom = {"tenant": settings.tenant, "subject": sealing_in(settings).keyed(digest) if digest else ""}
    event = app_event(name, data, key, event_id=event_id, now_ms=now_ms, **of_whom)
    emitter = Emitter.from_settings(settings)
    try:
        await emitter.send(event, not_before_ms=now_ms + delayed_ms if delayed_ms else 0)
    finally:
        await emitter.close()
    return event_id
