"""Known secrets do not get into our logs."""

import io
import logging
import re
from collections.abc import Iterator

import pytest

from baton.observability.logs import LOGGERS, SecretFilter, guard_logs
from baton.sdk.redaction import KnownSecrets
from tests.architecture.source_files import source_files

SECRET = "the-planted-secret"


@pytest.fixture
def output() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    guard_logs(KnownSecrets([SECRET]))
    yield stream
    logging.getLogger().removeHandler(handler)
    for name in LOGGERS:
        for found in list(logging.getLogger(name).filters):
            logging.getLogger(name).removeFilter(found)


def test_every_logger_of_ours_is_guarded() -> None:
    """One that is missing here would let everything pass."""
    named = {
        name
        for file in source_files("functions/baton", "events/baton_events")
        for name in re.findall(r'getLogger\("([^"]+)"\)', file.text)
    }
    assert named <= set(LOGGERS)
    assert all(name == "baton" or name.startswith("baton.") for name in LOGGERS)


@pytest.mark.parametrize("name", LOGGERS)
def test_a_message_is_cleaned_with_its_arguments(output: io.StringIO, name: str) -> None:
    logging.getLogger(name).warning("it said %s, %d times", f"<{SECRET}>", 2)
    logging.getLogger(name).warning("all is %s", "well")
    assert output.getvalue() == "it said <[redacted]>, 2 times\nall is well\n"


def test_a_traceback_is_cleaned(output: io.StringIO) -> None:
    """And still shows where it came from; one without a secret is dispatched as it is."""
    for text in (SECRET, "harmless"):
        logging.getLogger("baton.edge").error("failed", exc_info=RuntimeError(text))
    written = output.getvalue()
    assert SECRET not in written
    assert "RuntimeError: [redacted]" in written
    assert "RuntimeError: harmless" in written


def test_a_new_guard_takes_the_place_of_the_old_one(output: io.StringIO) -> None:
    """Filters do not pile up when a process makes a second container."""
    guard_logs(KnownSecrets(["another-secret"]))
    (found,) = logging.getLogger("baton.api").filters
    assert isinstance(found, SecretFilter)
    logging.getLogger("baton.api").warning("another-secret")
    assert output.getvalue() == "[redacted]\n"


def test_loggers_of_others_are_left_alone(output: io.StringIO) -> None:
    logging.getLogger("somebody.else").warning(SECRET)
    assert output.getvalue() == f"{SECRET}\n"
