"""What is in a world of budgets, by its seed."""

from dataclasses import dataclass

from baton.testing.dice import Dice


@dataclass(frozen=True)
class Plan:
    """What is in a world. Shares are of the requests, or of the model's answers."""

    seed: int
    calls: int
    limit_cents: int
    waits: bool
    begins_seconds: float
    skew_seconds: float
    crashes: float
    lost_answers: float
    repeats: float
    overtaken: float
    unanswered: float
    refused: float
    failovers: int
    raises: int


def plan_of(seed: int) -> Plan:
    """Make a plan: a third of the worlds have no faults, and half of them go over midnight."""
    dice, bad = Dice(seed), 0.0 if seed % 3 == 0 else 1.0
    return Plan(
        seed,
        calls=dice.whole(8, 24, 1),
        limit_cents=10 * dice.whole(2, 12, 2) + dice.whole(0, 9, 3),
        waits=dice.chance(0.5, 4),
        begins_seconds=-dice.between(10, 90, 5) if dice.chance(0.5, 6) else -43_200.0,
        skew_seconds=dice.between(0, 60, 7),
        crashes=bad * 0.06 * dice.roll(8),
        lost_answers=bad * 0.1 * dice.roll(9),
        repeats=bad * 0.2 * dice.roll(10),
        overtaken=bad * 0.2 * dice.roll(11),
        unanswered=bad * 0.15 * dice.roll(12),
        refused=bad * 0.15 * dice.roll(13),
        failovers=dice.whole(1, 3, 14) if seed % 5 == 4 else 0,
        raises=dice.whole(0, 2, 15),
    )
