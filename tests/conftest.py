"""What holds for all tests: no timed asserts, Ctrl-C works, and our logs are as they were before each test.

Hypothesis has no time limits, which a busy machine breaks. A process that is put together from its environment writes
our logs by itself, and pytest would not see them any more.
"""

import logging
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# A shell starts what it runs in the background with SIGINT ignored, and processes inherit that: those which tests end
# as Ctrl-C does would not hear of it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def our_logs() -> Iterator[None]:
    """Our root logger is set up anew by nobody for the tests that follow."""
    logger = logging.getLogger("baton")
    before = (logger.level, logger.propagate, list(logger.handlers))
    yield
    logger.level, logger.propagate, logger.handlers = before
