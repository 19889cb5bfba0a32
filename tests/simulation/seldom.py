"""Schedules with a call that a thousand others may not make often enough to meet a crash at it: tests play them."""

from tests.simulation.plan import FULL_SEEDS, RETURNING_SEEDS, SESSION_SEEDS
from tests.simulation.regressions import Regression

SELDOM = (
    Regression(845, 2, "a sweep crashes before, and after, it has dead failure callbacks delivered again"),
    Regression(42001337, 2, "a submission crashes before it takes its witness back"),
    Regression(42002799, 2, "a cancellation crashes after it has taken its witness back"),
    Regression(SESSION_SEEDS + 2012, 2, "an interruption crashes before it reads whom it interrupts"),
    Regression(RETURNING_SEEDS + 111, 2, "a deletion crashes when the data is gone"),
    Regression(RETURNING_SEEDS + 524, 2, "a deletion crashes before the data is gone"),
    Regression(RETURNING_SEEDS + 1001, 2, "a retry crashes when the job runs again"),
    Regression(FULL_SEEDS + RETURNING_SEEDS + 180, 2, "a retry crashes when the stored bytes of its job are moved"),
    Regression(FULL_SEEDS + RETURNING_SEEDS + 632, 2, "a retry crashes before the stored bytes of its job are moved"),
)
