"""Which fault meets which call: decided by the dice from who calls and how many calls it has made.

Invariant: each fault has a name that stays the same when others are switched off (`muted`), so a failing schedule can
be shrunk. Keeps what happened, and which crash points were met.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import accumulate

from baton.testing.dice import Dice, number_of
from baton.testing.virtual_loop import VirtualLoop
from tests.simulation.invocation import Invocation
from tests.simulation.outages import Outage
from tests.simulation.plan import Plan

_PICK, _QUEUE = 21, 22

# Kind of fault in a plan → what it can be at one call to the store, to the queue, in a piece of work.
_Kinds = dict[str, tuple[str, ...]]
_STORE: _Kinds = {
    "crash": ("crash-before", "crash-after", "crash-late"),
    "error": ("timeout-before", "timeout-after", "late"),
    "repeat": ("twice", "again"),
    "slow": ("slow",),
    "pause": ("pause-before", "pause-after"),
    "throttle": ("refused",),
}
_QUEUES: _Kinds = {
    "crash": ("crash-before", "crash-after"),
    "refuse": ("timeout-before", "timeout-after"),  # a batch in part: queue.py
    "slow": ("slow",),
    "pause": ("pause-before", "pause-after"),
    "throttle": ("refused",),
}
# A process that stands still in a tool would run into the tool's time limit: another story.
_IN_WORK: _Kinds = {kind: faults for kind, faults in _STORE.items() if kind not in ("pause", "slow", "error")}
# A process that stands still does so in its work.
_RENEWING: _Kinds = {kind: faults for kind, faults in _STORE.items() if kind != "pause"}
_WORK: _Kinds = {"crash": ("crash-before", "crash-after")}
GROUPS: dict[str, _Kinds] = {
    "store": _STORE,
    "admission": {**_STORE, "slow-admission": ("slow",)},
    "store-in-work": _IN_WORK,
    "store-in-talk": {kind: faults for kind, faults in _STORE.items() if kind != "pause"},
    "store-renew": _RENEWING,
    "queue": _QUEUES,
    "work": _WORK,
    "objects": {kind: faults for kind, faults in _STORE.items() if kind != "pause"},
}


# Calls that are seldom made meet faults more often, so that the fixed schedules meet each crash point.
_RARE = frozenset({"admission.leave", "queue.cancel", "queue.dead_letters", "queue.retry", "store.remove"})
_RARER = 5


class Faults:
    def __init__(self, plan: Plan, dice: Dice, loop: VirtualLoop, muted: frozenset[str] = frozenset()) -> None:
        self._dice = dice
        self._loop = loop
        self._muted = muted
        self._rates, self._calm_at, self._dies_at = plan.rates, plan.calm_at, plan.dies_at
        self._tables = {group: _table(plan.rates, kinds) for group, kinds in GROUPS.items()}
        self.outages = tuple(outage for outage in plan.outages if f"{outage.what}-down" not in muted)
        self.happened: list[str] = []
        self.calls: Counter[tuple[str, str]] = Counter()
        self.crashes: Counter[tuple[str, str, str]] = Counter()
        # Calls at which an invocation could have died.
        self.mortal = set[tuple[str, str]]()

    def pick(self, who: Invocation, point: str, group: str, *, rare: bool = False) -> str:
        """What befalls this call: the name of a fault, or empty. `rare`: as of calls that are seldom made."""
        self.calls[who.kind, point] += 1
        thresholds, names = self._tables[group]
        if not thresholds or self._loop.seconds >= self._calm_at:
            return ""
        if "crash" in self._rates:
            self.mortal.add((who.kind, point))
        if (who.kind, point) == self._dies_at[:2]:
            return self._dies(who, point)
        rolled = self._dice.roll(_PICK, who.number, who.calls) / (_RARER if rare or point in _RARE else 1)
        if rolled >= thresholds[-1]:
            return ""
        fault = next(name for limit, name in zip(thresholds, names, strict=True) if rolled < limit)
        if not self._happens(f"{who.name}:{who.calls}"):
            return ""
        if fault.startswith("crash"):
            self.crashes[who.kind, point, "before" if fault == "crash-before" else "after"] += 1
        return fault

    def _dies(self, who: Invocation, point: str) -> str:
        (*_, when), self._dies_at = self._dies_at, ("", "", "")
        self._happens(f"{who.name}:{who.calls}")
        self.crashes[who.kind, point, when] += 1
        return f"crash-{when}"

    def strikes(self, kind: str, name: str, which: int = 0) -> bool:
        """Whether a fault of the queue's own strikes this message or delivery."""
        rate = self._rates.get(kind, 0.0)
        if rate == 0 or self._loop.seconds >= self._calm_at:
            return False
        return self._dice.chance(rate, _QUEUE, number_of(kind), number_of(name), which) and self._happens(
            f"{kind}:{name}:{which}"
        )

    def down(self, what: str) -> bool:
        return any(outage.what == what for outage in self._present())

    def silent_until(self) -> float:
        """Until when the queue delivers nothing; 0: it does."""
        return max((outage.ends for outage in self._present() if outage.silent), default=0.0)

    def _present(self) -> Iterator[Outage]:
        now = self._loop.seconds
        return (outage for outage in self.outages if outage.begins <= now < outage.ends)

    def _happens(self, key: str) -> bool:
        if key in self._muted:
            return False
        self.happened.append(key)
        return True


def _table(rates: dict[str, float], kinds: dict[str, tuple[str, ...]]) -> tuple[list[float], list[str]]:
    shares = [
        (rates[kind] / len(names), name) for kind, names in kinds.items() if rates.get(kind, 0.0) > 0 for name in names
    ]
    return list(accumulate(share for share, _ in shares)), [name for _, name in shares]
