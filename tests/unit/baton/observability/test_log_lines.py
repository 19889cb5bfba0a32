"""How our logs are written, and that known secrets do not get into them."""

import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any, Literal

import httpx
import pytest

from baton.engine.commit.answers import Claim, ClaimResult
from baton.observability.logs import LOGGERS, JsonLines, SecretFilter, TextLines, guard_logs, name_in_logs, write_logs
from baton.sdk.records.redaction import KnownSecrets
from baton.settings.settings import Settings
from baton_events.schema import Event, encode_event
from tests.architecture.source_files import source_files
from tests.fakes.stored import FakeStore
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import api_of

SECRET = "a-key-of-somebody"


@pytest.fixture
def logger() -> logging.Logger:
    """Our root logger, which is as it was after each test (tests/conftest.py)."""
    return logging.getLogger("baton")


def written(logger: logging.Logger, log_format: Literal["json", "text"] = "json") -> io.StringIO:
    write_logs(Settings(log_format=log_format))
    (handler,) = [found for found in logger.handlers if isinstance(found.formatter, JsonLines | TextLines)]
    assert isinstance(handler, logging.StreamHandler)
    stream = io.StringIO()
    handler.setStream(stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


class BrokenStore(FakeStore):
    async def claim(self, claim: Claim) -> ClaimResult:
        raise RuntimeError(f"a surprise\nfor {claim.job_id}")


async def delivered(stage: Stage, event: Event) -> httpx.Response:
    headers = {"upstash-signature": "any", "upstash-message-id": "msg_1", "upstash-retried": "2"}
    async with api_of(stage) as api:
        return await api.http.post("/workers/agent-loop", content=encode_event(event), headers=headers)


async def test_a_delivery_is_one_line_with_what_it_is_about(logger: logging.Logger) -> None:
    stream, stage = written(logger), Stage()
    event = await stage.submit("answers")
    assert (await delivered(stage, event)).status_code == 200
    (line,) = [line for line in lines(stream) if line["logger"] == "baton.delivery"]
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "INFO",
        "logger": "baton.delivery",
        "message": "agent.loop.init: done",
        "messageId": "msg_1",
        "eventId": event.id,
        "eventType": "agent.loop.init",
        "jobId": "job_1",
        "sessionId": "session-job_1",
        "outcome": "done",
        "handedOn": 1,
        "durationMs": 0,
        "retried": 2,
    }


async def test_a_delivery_that_fails_says_so_and_its_traceback_is_about_it(logger: logging.Logger) -> None:
    stage = Stage(store=BrokenStore())
    event = await stage.submit("answers")
    stream = written(logger)
    assert (await delivered(stage, event)).status_code == 500
    found, error = lines(stream)
    assert (found["outcome"], found["jobId"]) == ("error: RuntimeError", "job_1")
    assert (error["level"], error["jobId"], error["logger"]) == ("ERROR", "job_1", "baton.edge")
    assert error["error"].endswith("RuntimeError: a surprise\nfor job_1")


def test_known_secrets_are_in_no_line(logger: logging.Logger) -> None:
    guard_logs(KnownSecrets((SECRET,)))
    stream = written(logger)
    try:
        int(SECRET)
    except ValueError:
        logging.getLogger("baton.edge").exception("it is %s", SECRET)
    guard_logs(KnownSecrets(()))
    assert SECRET not in stream.getvalue()
    (line,) = lines(stream)
    assert line["message"] == "it is [redacted]"
    assert line["error"].endswith("base 10: '[redacted]'")


async def test_as_text_a_line_says_what_it_is_about(logger: logging.Logger) -> None:
    """For people; `baton dev` writes so. Set up twice, each line is written once, as it was told last."""
    written(logger)
    stream = written(logger, "text")
    name_in_logs("msg_1")
    logging.getLogger("baton.sweep").warning("it looks", extra={"fields": {"handedOn": 2}})
    assert stream.getvalue().endswith(" WARNING baton.sweep: it looks [messageId=msg_1 handedOn=2]\n")
    assert len(stream.getvalue().splitlines()) == 1


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
    """Other messages are as they were, and those of others."""
    logging.getLogger(name).warning("it said %s, %d times", f"<{SECRET}>", 2)
    logging.getLogger(name).warning("all is %s", "well")
    logging.getLogger("somebody.else").warning(SECRET)
    assert output.getvalue() == f"it said <[redacted]>, 2 times\nall is well\n{SECRET}\n"


def test_a_new_guard_takes_the_place_of_the_old_one(output: io.StringIO) -> None:
    """Filters do not pile up when a process makes a second container."""
    guard_logs(KnownSecrets(["another-secret"]))
    (found,) = logging.getLogger("baton.api").filters
    assert isinstance(found, SecretFilter)
    logging.getLogger("baton.api").warning("another-secret")
    assert output.getvalue() == "[redacted]\n"


def test_a_traceback_is_cleaned(output: io.StringIO) -> None:
    """And still shows where it came from; one without a secret is dispatched as it is."""
    for text in (SECRET, "harmless"):
        logging.getLogger("baton.edge").error("failed", exc_info=RuntimeError(text))
    written = output.getvalue()
    assert SECRET not in written
    assert "RuntimeError: [redacted]" in written
    assert "RuntimeError: harmless" in written
