"""Keys on the real stack: made while it runs, limited over all of its requests, and written down."""

import json

import httpx
import pytest

from tests.e2e.dev_stack import PATIENCE_SECONDS, DevStack, run_baton

pytestmark = pytest.mark.e2e

ENVIRONMENT = {"RATE_LIMIT_PER_MINUTE": "5"}


def keys(stack: DevStack, *arguments: str) -> str:
    done = run_baton("keys", *arguments, "--data", str(stack.folder))
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.long
def test_a_key_made_while_the_stack_runs_is_let_in_limited_and_listed(stack: DevStack) -> None:
    """At once; after five requests it has to wait, while an operator reads what was done."""
    key = keys(stack, "create", "--tenant", "acme", "--role", "client", "--label", "laptop").splitlines()[-1]
    with httpx.Client(base_url=stack.described["app_url"], timeout=PATIENCE_SECONDS) as http:
        mine = {"authorization": f"Bearer {key}"}
        accepted = http.post("/api/agent-jobs", headers=mine, json={"jobType": "simple"})
        assert accepted.status_code == 202, accepted.text
        answers = [http.get("/api/agent-jobs/unknown", headers=mine) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [404] * 4 + [429]
        assert 0 < int(answers[-1].headers["retry-after"]) <= 12
    stack.request("GET", f"/api/agent-jobs/{accepted.json()['id']}", "admin_key")
    [entry] = stack.request("GET", "/api/admin/audit", "admin_key")["entries"]
    assert (entry["action"], entry["label"]) == ("keys create", "command line")
    [row] = json.loads(keys(stack, "list", "--json"))["keys"]
    assert (row["id"], row["label"], row["lastUsed"] != "never") == (entry["target"], "laptop", True)
    keys(stack, "revoke", row["id"])
    assert json.loads(keys(stack, "list", "--json"))["keys"] == []
