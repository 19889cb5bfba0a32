"""How our logs are written."""

import io
import json
import logging
from typing import Any, Literal

import httpx
import pytest

from baton.engine.commit.answers import Claim, ClaimResult
from baton.observability.logs import JsonLines, TextLines, guard_logs, name_in_logs, write_logs
from baton.sdk.redaction import KnownSecrets
from baton.settings.settings import Settings
from baton_events.schema import Event, encode_event
from tests.fakes import FakeStore
from tests.unit.baton.api.client import api_of
from tests.unit.baton.kit.stage import Stage

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
    """Deliver an event over HTTP, as the queue does."""
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
    """For people; `baton dev` writes so."""
    stream = written(logger, "text")
    name_in_logs("msg_1")
    logging.getLogger("baton.sweep").warning("it looks", extra={"fields": {"handedOn": 2}})
    assert stream.getvalue().endswith(" WARNING baton.sweep: it looks [messageId=msg_1 handedOn=2]\n")


def test_set_up_twice_each_line_is_written_once(logger: logging.Logger) -> None:
    """A process that is put together again writes as it was told last."""
    written(logger)
    stream = written(logger)
    logging.getLogger("baton.sweep").info("once")
    assert [line["message"] for line in lines(stream)] == ["once"]
