"""Each parameter of a page's address, and of the API's lists, with values of no link: none is an error of ours."""

import logging
import re
from urllib.parse import quote

import pytest

from baton.server.openapi import described
from tests.unit.baton.server.api.client import ADMIN
from tests.unit.baton.server.console.operator import Operator
from tests.unit.baton.server.console.test_odd_forms import ODD as TEXTS
from tests.unit.baton.server.test_routes import TABLE

_ARABIC = str.maketrans("0123456789", "".join(map(chr, range(0x660, 0x66A))))
ODD = [*TEXTS, "0-0", "0-9", "9" * 15 + "-0", "1795165405120:job_1:", "2026-01-01", "2026-01", "3-3"]
ODD += [text.translate(_ARABIC) for text in ODD[len(TEXTS) :]]
PAGES = {
    "/console/jobs": "cursor status jobType tenant q tag createdAfter createdBefore sessionId parentJobId open id",
    "/console/messages": "cursor state job",
    "/console/sessions": "cursor tenant q",
    "/console/audit": "cursor",
    "/console/usage": "from to tenant days",
    "/console/budgets": "cursor tenant key",
    "/console/approvals": "cursor state tenant",
    "/console/login": "after",
}
QUERIES = {
    route.path: [*query.model_json_schema()["properties"]]
    for route in TABLE
    if route.method == "GET" and (query := described(route).query) is not None
}


def _coded(value: str) -> str:
    return quote(value.encode("utf-8", "surrogatepass"), safe="")


@pytest.mark.parametrize("path", [*PAGES, *QUERIES])
async def test_no_value_in_a_query_is_an_error_of_ours(
    operator: Operator, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    names, url = PAGES[path].split() if path in PAGES else QUERIES[path], re.sub(r"\{[^}]*\}", "x", path)
    for name in names:
        for query in [f"{name}={_coded(value)}" for value in ODD] + [f"{name}=1&{name}=2", name]:
            answer = await operator.http.get(f"{url}?{query}", headers={"authorization": f"Bearer {ADMIN}"})
            assert answer.status_code < 500, query[:60]
    assert not [each for each in caplog.records if each.exc_info or each.levelno >= logging.ERROR]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("messages?cursor=-1", "&#39;-1&#39; is not one of this list"),
        ("jobs?cursor=zzz", "cursor: &#39;zzz&#39; is no cursor of a list<"),
        ("jobs?status=odd", ">&#39;odd&#39; is no status: one or more of"),
        (
            "jobs?createdAfter=2026-13-01",
            ">Input should be a valid datetime or date, month value is outside expected range",
        ),
    ],
)
async def test_a_fault_is_told_once_and_without_the_librarys_own_words(
    operator: Operator, query: str, message: str
) -> None:
    answer = await operator.http.get(f"/console/{query}")
    assert answer.status_code == 422
    assert message in answer.text
    assert "Value error" not in answer.text


async def test_the_last_day_that_there_is_has_an_end(operator: Operator) -> None:
    answer = await operator.http.get("/console/jobs?createdAfter=9999-12-31&createdBefore=9999-12-31")
    assert answer.status_code == 200


async def test_a_login_leads_back_by_an_address_of_usual_length_alone(stranger: Operator) -> None:
    """A proxy in between refuses headers of eight kilobytes."""
    for length, is_kept in ((100, True), (10_000, False)):
        answer = await stranger.http.get(f"/console/jobs?q={'a' * length}", follow_redirects=False)
        assert ("after=" in answer.headers["location"]) is is_kept
