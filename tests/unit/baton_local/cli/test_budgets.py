"""`baton budgets`: what keys have spent, and limits that are set."""

import json
from typing import Any

import respx

from tests.unit.baton_local.cli.api import URL, baton, problem

PATH = f"{URL}/api/admin/budgets"
ROW: dict[str, Any] = {"key": "user/7", "per": "day", "timeZone": "UTC", "unit": "usd", "period": "2026-11-28"}
ROW |= {"declared": 5, "limit": 20, "spent": 4.25, "reserved": 0.01, "left": 15.74, "largest": 0.3, "waiting": 2}


@respx.mock
def test_budgets_are_listed_page_by_page() -> None:
    tokens = {
        **ROW,
        "key": "acme",
        "unit": "tokens",
        "spent": 1e6,
        "limit": 2e6,
        "left": 1e6,
        "reserved": 0,
        "waiting": 0,
    }
    pages = ({"budgets": [ROW], "cursor": "1-1"}, {"budgets": [tokens]})
    respx.get(PATH).mock(side_effect=[respx.MockResponse(200, json=page) for page in pages])
    assert baton("budgets").output.splitlines() == [
        "user/7  per day: 2026-11-28",
        "    4.25 of 20 usd spent, 0.01 reserved, 15.74 left, 2 wait",
        "acme  per day: 2026-11-28",
        "    1000000 of 2000000 tokens spent, 0 reserved, 1000000 left",
    ]


@respx.mock
def test_no_budgets_are_one_line_and_json_is_as_the_api_answers() -> None:
    respx.get(PATH).respond(json={"budgets": []})
    assert baton("budgets").output == "no call has had a budget yet\n"
    assert json.loads(baton("budgets", "--json").output) == {"budgets": []}


@respx.mock
def test_a_limit_is_set() -> None:
    put = respx.put(f"{PATH}/user%2F7").respond(json=ROW)
    done = baton("budgets", "set", "user/7", "--per", "day", "--limit", "20", "--every")
    assert json.loads(put.calls.last.request.content) == {"per": "day", "limit": 20.0, "period": "every"}
    assert done.output.startswith("user/7  per day")
    put.mock(return_value=problem(422, "pass one of them"))
    done = baton("budgets", "set", "user/7", "--per", "day", "--limit", "20", "--unit", "usd")
    assert (done.exit_code, "pass one of them" in done.output) == (1, True)
