"""The arguments of a handler of app events: the event, and the context of its run.

Must not: publish or start anything; the context's call does that.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic

from typing_extensions import TypeVar

from baton.sdk.tools.context import ToolContext

_T = TypeVar("_T", default=Any)


@dataclass(frozen=True, kw_only=True)
class Event(Generic[_T]):
    """An app event, as a handler gets it; `data` is the handler's schema, if it has one."""

    id: str
    name: str
    key: str
    data: _T
    created_at: datetime


@dataclass(frozen=True)
class HandlerContext:
    """The run of a handler: `call` is the tool call that its job makes.

    The methods are coroutines. An event or a job that they send out has an id from the call, the name and the key, so
    another attempt has no second effect.
    """

    call: ToolContext = field(repr=False)

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt of this handler on this event, also after a crash."""
        return self.call.idempotency_key

    @property
    def attempt(self) -> int:
        """The number of this handler's attempts on this event, from 1."""
        return self.call.attempt

    async def emit(
        self,
        name: str,
        data: Any = None,
        key: str = "",
        delay_seconds: float = 0,
        *,
        once_for: str | None = None,
        once_for_seconds: float = 86_400,
    ) -> str:
        """Publish an app event of the same tenant; return its id. Raises as `emit`. `once_for`: as of `start`."""
        return await self.call.emit(
            name, data, key, delay_seconds, once_for=once_for, once_for_seconds=once_for_seconds
        )

    async def start(
        self,
        agent: str,
        task: str = "",
        *,
        input_data: Mapping[str, Any] | None = None,
        session_id: str = "",
        once_for: str | None = None,
        once_for_seconds: float = 86_400,
    ) -> str:
        """Start a job of an agent without waiting for it; return its id.

        Args:
            agent: the agent's name.
            task: its task.
            input_data: its data, a JSON object.
            session_id: the conversation that it belongs to; empty: one of its own.
            once_for: a text: while a job that was started under it lives, that job's id is returned, and none is
                started.
            once_for_seconds: how long that holds after its end.
        """
        once = None if once_for is None else (once_for, once_for_seconds)
        return await self.call.outlet.start(agent, task, dict(input_data or {}), session_id, once)
