"""Schedules with a call that a thousand others may not make often enough to meet a crash at it: tests play them."""

from tests.simulation.plan import (
    CALL_LIMIT_SEEDS,
    EVENT_SEEDS,
    FULL_SEEDS,
    RETURNING_SEEDS,
    SESSION_SEEDS,
    STEERING_SEEDS,
    STREAMING_SEEDS,
)
from tests.simulation.regressions import Regression

SELDOM = (
    Regression(RETURNING_SEEDS + 111, "a deletion crashes before the data is gone"),
    Regression(RETURNING_SEEDS + 524, "a deletion crashes when the data is gone"),
    Regression(
        FULL_SEEDS + RETURNING_SEEDS + 180, "a backup message crashes when the stored bytes of its job are moved"
    ),
    Regression(FULL_SEEDS + RETURNING_SEEDS + 632, "a deletion crashes before the stored bytes are moved"),
    Regression(SESSION_SEEDS + 360, "submissions crash before and after they look who is in line in their session"),
    Regression(EVENT_SEEDS + 18, "an app event crashes before and after it looks who waits for it"),
    Regression(EVENT_SEEDS + 54, "an app event crashes when it is kept"),
    Regression(EVENT_SEEDS + 78, "an app event crashes when its handlers are noted"),
    Regression(EVENT_SEEDS + 82, "app events crash before they are kept, and before and after they meet who waits"),
    Regression(EVENT_SEEDS + 973, "an app event crashes before its handlers are noted"),
    Regression(STREAMING_SEEDS + 20_005, "a reader's connection breaks when it has looked for more parts"),
    Regression(STREAMING_SEEDS + 20_020, "a reader's connection breaks before it looks for more parts"),
    Regression(CALL_LIMIT_SEEDS + 34, "calls crash before and after they begin, end and pause by their limits"),
    Regression(STEERING_SEEDS + 55, "messages crash before and after it is recorded who gets them"),
)
