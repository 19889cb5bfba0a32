"""The clock that users' code sees: `time` and `datetime` in the tools' modules have the virtual time.

Invariant: only names of the given modules are replaced, until they are put back. Must not: know a world.
"""

import datetime as dt
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

from baton.testing.process_memory import Namespaces
from baton.testing.virtual_loop import VirtualLoop
from baton.testing.virtual_thread import blocking_here


class VirtualClock:
    """The time of a loop that began at `epoch_ms`."""

    def __init__(self, loop: VirtualLoop, epoch_ms: int) -> None:
        self._loop, self._epoch_ms = loop, epoch_ms
        self._replaced = _replacements(self)

    def now_ms(self) -> int:
        """Return the milliseconds since 1970."""
        return self._epoch_ms + int(self._loop.seconds * 1000)

    def seconds(self) -> float:
        """Return the seconds since 1970, as the calling code sees them."""
        blocking = blocking_here()
        return self._epoch_ms / 1000 + self._loop.seconds + (blocking.slept if blocking else 0.0)

    def sleep(self, seconds: float) -> None:
        """Sleep; code that does so in the loop delays everything."""
        blocking = blocking_here()
        if blocking is None:
            self._loop.seconds += seconds
        else:
            blocking.slept += seconds

    def install(self, namespaces: Namespaces) -> None:
        """Give modules this clock."""
        _replace(namespaces, {id(real): other for real, other in self._replaced})

    def remove(self, namespaces: Namespaces) -> None:
        """Give modules the real clock again."""
        _replace(namespaces, {id(other): real for real, other in self._replaced})


def _replace(namespaces: Namespaces, others: dict[int, Any]) -> None:
    for namespace in namespaces.values():
        for name, value in list(namespace.items()):
            if id(value) in others:
                namespace[name] = others[id(value)]


class _Known(type):
    """Accepts instances of the real class."""

    real: type

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, cls.real)


def _replacements(clock: VirtualClock) -> list[tuple[Any, Any]]:
    functions: dict[str, Callable[..., Any]] = {
        "time": clock.seconds,
        "time_ns": lambda: int(clock.seconds() * 1e9),
        "monotonic": clock.seconds,
        "monotonic_ns": lambda: int(clock.seconds() * 1e9),
        "perf_counter": clock.seconds,
        "perf_counter_ns": lambda: int(clock.seconds() * 1e9),
        "gmtime": lambda seconds=None: time.gmtime(clock.seconds() if seconds is None else seconds),
        "localtime": lambda seconds=None: time.localtime(clock.seconds() if seconds is None else seconds),
        "ctime": lambda seconds=None: time.ctime(clock.seconds() if seconds is None else seconds),
        "asctime": lambda moment=None: time.asctime(moment or time.localtime(clock.seconds())),
        "strftime": lambda form, moment=None: time.strftime(form, moment or time.localtime(clock.seconds())),
        "sleep": clock.sleep,
    }

    def now(_class: type, tz: dt.tzinfo | None = None) -> dt.datetime:
        return dt.datetime.fromtimestamp(clock.seconds(), tz)

    def utcnow(_class: type) -> dt.datetime:
        return dt.datetime.fromtimestamp(clock.seconds(), dt.UTC).replace(tzinfo=None)

    moments = {"now": classmethod(now), "utcnow": classmethod(utcnow), "today": classmethod(now)}
    days = {"today": classmethod(lambda _class: now(_class).date())}
    moment = _Known("datetime", (dt.datetime,), {**moments, "real": dt.datetime})
    day = _Known("date", (dt.date,), {**days, "real": dt.date})
    return [
        *((getattr(time, name), function) for name, function in functions.items()),
        (dt.datetime, moment),
        (dt.date, day),
        (time, _module(time, functions)),
        (dt, _module(dt, {"datetime": moment, "date": day})),
    ]


def _module(real: ModuleType, others: dict[str, Any]) -> ModuleType:
    module = ModuleType(real.__name__)
    vars(module).update({**vars(real), **others})
    return module
