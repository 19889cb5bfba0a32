"""429 as the hosted service answers it, for trying callers against (qstash.md 20); off unless set.

Invariant: which headers come tells the SDKs which limit it was; publishing is bound by the day only.
"""

from dataclasses import dataclass
from http import HTTPStatus

from baton_local.qstash.core.limits import DAY_MS
from baton_local.qstash.core.tenant import Tenant
from baton_local.qstash.wire.routes import Route
from baton_local.stand_in.api_error import ApiError

_SECOND_MS = 1_000


@dataclass(slots=True)
class _Window:
    start_ms: int
    count: int


class RateLimits:
    """Counts calls and messages per user."""

    def __init__(self, calls_per_second: int | None, messages_per_day: int | None) -> None:
        self._calls_per_second = calls_per_second
        self._messages_per_day = messages_per_day
        self._calls: dict[str, _Window] = {}
        self._days: dict[str, _Window] = {}

    def check(self, tenant: Tenant, route: Route, now_ms: int) -> None:
        """Count the call; raise 429 if it is one too many."""
        if route.publishes:
            self._check_day(tenant, now_ms)
        elif self._calls_per_second is not None:
            window = _current(self._calls, tenant.user, now_ms, _SECOND_MS)
            window.count += 1
            if window.count > self._calls_per_second:
                raise _too_many("Burst-RateLimit", self._calls_per_second, window.start_ms + _SECOND_MS)

    def _check_day(self, tenant: Tenant, now_ms: int) -> None:
        if self._messages_per_day is None:
            return
        published = tenant.counters.published
        known = self._days.get(tenant.user)
        if known is None or now_ms - known.start_ms >= DAY_MS:
            known = self._days[tenant.user] = _Window(now_ms - now_ms % DAY_MS, published)
        if published - known.count >= self._messages_per_day:
            raise _too_many("RateLimit", self._messages_per_day, known.start_ms + DAY_MS)


def _current(windows: dict[str, _Window], user: str, now_ms: int, length_ms: int) -> _Window:
    window = windows.get(user)
    if window is None or now_ms - window.start_ms >= length_ms:
        window = windows[user] = _Window(now_ms, 0)
    return window


def _too_many(prefix: str, limit: int, reset_ms: int) -> ApiError:
    reset_seconds = -(-reset_ms // 1_000)
    headers = {"Limit": str(limit), "Remaining": "0", "Reset": str(reset_seconds)}
    return ApiError(
        HTTPStatus.TOO_MANY_REQUESTS,
        f"more than {limit} in the window; try again at {reset_seconds} (Unix seconds)",
        tuple((f"{prefix}-{name}", value) for name, value in headers.items()),
    )
