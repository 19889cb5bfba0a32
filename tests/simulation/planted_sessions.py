"""Defects of sessions that are busy."""

from collections.abc import Awaitable, Callable
from typing import Any

from baton.api.session_line import Sessions
from baton.commands.backup import Backup
from tests.simulation.planting import Defect, Patch, replaced


async def _leaving_the_backup(self: Backup) -> None:
    """Refuse, and let the backup message come."""
    del self


async def _sure_of_itself(self: Backup) -> None:
    """Take the backup message back, however late."""
    await self._emitter.cancel(self.relay_id)


async def _only_the_first(self: Sessions, jobs: list[Any], by: str, **_named: Any) -> list[Any]:
    """Cancel the running one, and forget those in line."""
    return [(await self._container.commands.cancel(job, by)).job for job in jobs[:1]]


def _unasked(submit: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Cancel nobody."""

    async def submitting(self: Sessions, job: Any, task: Any, when_busy: str = "queue", **named: Any) -> Any:
        return await submit(self, job, task, "reject" if when_busy == "reject" else "queue", **named)

    return submitting


def _in_sessions(name: str, invariant: str, *patches: Patch) -> Defect:
    return Defect(name, invariant, patches, sessions=True)


DEFECTS = (
    _in_sessions(
        "the backup message of a refused job stays",
        "who_is_refused_does_not_run",
        replaced(Backup, "refuse", _leaving_the_backup),
    ),
    _in_sessions(
        "a late refusal is thought to be sure",
        "who_is_refused_does_not_run",
        replaced(Backup, "refuse", _sure_of_itself),
    ),
    _in_sessions(
        "an interruption leaves those in line",
        "who_interrupts_is_next",
        replaced(Sessions, "stop", _only_the_first),
    ),
    _in_sessions(
        "an interruption cancels nobody",
        "who_interrupts_is_next",
        Patch(Sessions, "submit", _unasked),
    ),
)
