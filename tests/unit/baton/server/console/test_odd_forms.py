"""Each field of the console's forms, with values that no browser sends: none is an error of ours, and none hangs."""

import logging
from collections.abc import AsyncIterator
from urllib.parse import quote

import pytest

from tests.unit.baton.server.console.operator import Operator
from tests.unit.baton.whole import lost_key
from tests.unit.baton.whole.lost_key import Lost, lost_work
from tests.unit.baton.whole.test_sealed import K1

ODD = [
    *("", "   ", "\0", "\r\n\r\n", "a\ud83d", "\u202e", "١٢", "²", "x" * 10_000, "../..", "<b>", "null"),
    *("NaN", "1e999", "-1", "0", "5.5", "0x10", "9" * 30, "9" * 5_000, "[" * 3_000),
    *('{"a":NaN}', '{"a":' + "9" * 5_000 + "}", '{"\\ud800":1}', "9999-99-99"),
]
JOB, ASKED = "/console/jobs/{ended}", "/console/approvals/{checkpoint}"
STARTS = {"jobType": "echo", "taskDescription": "x"}
FORMS: list[tuple[str, dict[str, str], str]] = [
    ("/console/jobs/new", STARTS, "jobType taskDescription inputData priority sessionId tags once"),
    ("/console/jobs/bulk", {"action": "cancel", "jobType": "echo"}, "action from jobType status tag q cursor limit"),
    (f"{JOB}/retry", {}, "from"),
    (f"{JOB}/fork", {"turn": "1"}, "taskDescription instructions model toolResults arguments turn toolsRun once"),
    (f"{JOB}/replay", {}, "id"),
    (f"{JOB}/scores", {"name": "n", "value": "1"}, "name value comment"),
    (f"{JOB}/erase", {}, "subjectId"),
    ("/console/sessions/s/cancel", {}, "tenant"),
    (f"{ASKED}/reject", {}, "reason comment"),
    (f"{ASKED}/approve", {}, "arguments comment digest"),
    (f"{ASKED}/link", {"hours": "1"}, "name hours edit"),
    ("/console/messages/replay", {}, "id message"),
    ("/console/dead-letters/retry", {}, "id group newest"),
    ("/console/schedules/new/make", {**STARTS, "cron": "0 9 * * *", "timeZone": "UTC"}, "priority cron timeZone"),
    ("/console/budgets/set", {"key": "k", "per": "day", "limit": "1"}, "key per unit limit period"),
    ("/console/budgets/clear", {"key": "k", "per": "day"}, "key per"),
]
PAGES = [f"{JOB}/turns/{{odd}}", "/console/agents/echo/versions?limit={odd}", f"{JOB}?turns={{odd}}-{{odd}}"]


@pytest.fixture
async def kept(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Lost]:
    """The work that another process has left, whose key is here."""
    monkeypatch.setattr(lost_key, "K2", K1)
    async with lost_work() as made:
        yield made


def _coded(value: str) -> str:
    return quote(value.encode("utf-8", "surrogatepass"), safe="")


async def _posted(operator: Operator, path: str, good: dict[str, str], field: str, value: str) -> int:
    fields = {"csrf": await operator.token(), **{name: text for name, text in good.items() if name != field}}
    body = "&".join([*(f"{name}={_coded(text)}" for name, text in fields.items()), f"{field}={_coded(value)}"])
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return (await operator.http.post(path, content=body.encode(), headers=headers)).status_code


@pytest.mark.parametrize(("path", "good", "fields"), FORMS)
async def test_no_value_of_a_field_is_an_error_of_ours(
    kept: Lost, caplog: pytest.LogCaptureFixture, path: str, good: dict[str, str], fields: str
) -> None:
    for field in fields.split():
        for value in ODD:
            status = await _posted(kept.operator, path.format(**kept.names), good, field, value)
            assert status < 500, (field, value[:40])
    assert not [each for each in caplog.records if each.exc_info or each.levelno >= logging.ERROR]


@pytest.mark.parametrize("page", PAGES)
async def test_no_number_in_an_address_is_an_error_of_ours(
    kept: Lost, caplog: pytest.LogCaptureFixture, page: str
) -> None:
    for value in ODD:
        answer = await kept.operator.http.get(page.format(odd=_coded(value), **kept.names))
        assert answer.status_code < 500, value[:40]
    assert not [each for each in caplog.records if each.exc_info or each.levelno >= logging.ERROR]
