"""Defects of limits of calls: of who keeps to them, and of the store's twin that counts."""

from collections.abc import Awaitable, Callable
from typing import Any

from msgspec.structs import replace

from baton.admission.limited_calls import Limited
from baton.storage.in_memory import call_limits
from baton.storage.in_memory.call_limits import InMemoryCallLimits
from baton.storage.redis import store
from baton.tools.running_calls import NotYetError
from tests.simulation.planting import Defect, Patch, constant, idle


def _impatient(begin: Callable[..., Awaitable[int]]) -> Callable[..., Awaitable[int]]:
    """Begin, whatever the limits say."""

    async def begun(*arguments: Any) -> int:
        try:
            return await begin(*arguments)
        except NotYetError:
            return 0

    return begun


def _unpaused(after: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Keep to oneself that the other side wants patience."""

    async def impatient(self: Limited, claim: Any, news: Any) -> None:
        if news.__qualname__.endswith("pause_calls"):
            news.close()
        else:
            await after(self, claim, news)

    return impatient


def _anyhow(place: Callable[..., tuple[bool, list[str]]]) -> Callable[..., tuple[bool, list[str]]]:
    """Let a call run, whether it has a place or not."""
    return lambda *arguments: (True, place(*arguments)[1])


def _same_again(moment: Callable[..., float]) -> Callable[..., float]:
    """Give the next call the same moment."""

    def given(self: InMemoryCallLimits, limit: Any, name: str, now_ms: int) -> float:
        before = self._next_ms.get(limit.key, 0.0)
        at_ms = moment(self, limit, name, now_ms)
        self._next_ms[limit.key] = max(before, at_ms)
        return at_ms

    return given


def _whenever(give_back: Callable[..., Any]) -> Callable[..., Any]:
    """Forget when the call comes."""
    return lambda tree, claim, *rest, **named: give_back(tree, replace(claim, comes_ms=0), *rest, **named)


def _sharing(name: str, invariant: str, *patches: Patch) -> Defect:
    return Defect(name, invariant, patches, shares=True)


DEFECTS = (
    _sharing("a place is never given back", "every_place_is_given_back", idle(Limited, "_end")),
    _sharing("a call over its limit begins", "what_acts_has_begun", Patch(Limited, "_begin", _impatient)),
    _sharing("a call without a place runs", "no_more_are_in_flight", Patch(InMemoryCallLimits, "_place", _anyhow)),
    _sharing("two calls get one moment", "moments_are_apart", Patch(InMemoryCallLimits, "_moment", _same_again)),
    _sharing("a pause of a key is forgotten", "a_call_begins_at_its_moment", idle(InMemoryCallLimits, "pause_calls")),
    _sharing(
        "all calls that are late begin at once",
        "a_call_begins_at_its_moment",
        Patch(InMemoryCallLimits, "_replaced", lambda _: lambda self, limit, name, at_ms, now_ms: at_ms),
    ),
    _sharing("nobody pauses a key", "who_wants_patience_gets_it", Patch(Limited, "_after", _unpaused)),
    _sharing("a call that has a place is not woken", "who_gets_a_place_comes_at_once", idle(Limited, "_wake")),
    _sharing(
        "the place of a call that died is never free",
        "nobody_waits_for_a_free_place",
        constant(call_limits, "abandoned", {}),
    ),
    _sharing(
        "a sweep brings a call that comes by itself",
        "a_sweep_leaves_a_call_that_comes_by_itself",
        Patch(store, "given_back", _whenever),
    ),
)
