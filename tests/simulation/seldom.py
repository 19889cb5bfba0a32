"""Schedules with a call that a thousand others may not make often enough to meet a crash at it: tests play them."""

from tests.simulation.plan import FULL_SEEDS, RETURNING_SEEDS, SESSION_SEEDS
from tests.simulation.regressions import Regression

SELDOM = (
    Regression(RETURNING_SEEDS + 111, "a deletion crashes before the data is gone"),
    Regression(RETURNING_SEEDS + 524, "a deletion crashes when the data is gone"),
    Regression(
        FULL_SEEDS + RETURNING_SEEDS + 180, "a backup message crashes when the stored bytes of its job are moved"
    ),
    Regression(FULL_SEEDS + RETURNING_SEEDS + 632, "a deletion crashes before the stored bytes are moved"),
    Regression(SESSION_SEEDS + 360, "submissions crash before and after they look who is in line in their session"),
)
