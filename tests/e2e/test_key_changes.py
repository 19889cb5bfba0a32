"""Every key of a deployment is changed while jobs run: none fails, and no message is refused (docs/security.md)."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from baton_local.cli.main import main
from tests.e2e.dev_stack import wait_for
from tests.e2e.keyed_stack import KeyedStack
from tests.e2e.slow_agents import STEPS

pytestmark = [pytest.mark.e2e, pytest.mark.long]
USER = "changing"


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[KeyedStack]:
    made = KeyedStack(tmp_path)
    try:
        yield made.prepare()
    finally:
        made.stop()


def run(stack: KeyedStack, *arguments: str) -> Result:
    environment = {**stack.settings, "NO_PROXY": "127.0.0.1,localhost"}
    return CliRunner().invoke(main, [*arguments], env=environment)


def checkup(stack: KeyedStack, *arguments: str) -> str:
    """What the doctor says, whose lines are folded."""
    return " ".join(run(stack, "doctor", *arguments).output.split())


def roll(stack: KeyedStack) -> Result:
    return run(stack, "keys", "roll", "--write", str(stack.env_file))


def progressed(stack: KeyedStack, job_id: str, calls: int) -> bool:
    return len(stack.job(job_id)["toolCalls"]) >= calls


def test_signing_keys_are_rolled_while_jobs_run_and_no_message_is_refused(stack: KeyedStack) -> None:
    """Twice, deployed at once and a while later; what is signed with either key is let in throughout."""
    first = stack.submit("slow", "Note them.")
    wait_for(lambda: progressed(stack, first, 2), "some progress")
    before = stack.settings["QSTASH_NEXT_SIGNING_KEY"]
    rolled = roll(stack)
    assert rolled.exit_code == 0, rolled.output
    assert stack.settings["QSTASH_CURRENT_SIGNING_KEY"] == before
    assert before not in rolled.output
    wait_for(lambda: progressed(stack, first, 4), "progress with what the next key lets in")
    second = stack.submit("slow", "Note them.")
    stack.deploy()
    wait_for(lambda: progressed(stack, second, 2), "progress after the deploy")
    assert roll(stack).exit_code == 0
    stack.deploy()
    for job_id in (first, second, stack.submit("slow", "Note them.")):
        assert len(stack.completed(job_id)["toolCalls"]) == STEPS
    assert stack.refused == 0
    assert len(stack.outcomes()) > 2 * STEPS


def test_keys_are_not_rolled_again_before_the_deploy(stack: KeyedStack) -> None:
    """The functions would refuse everything; done all the same, in the queue's console, they do, and doctor says so."""
    assert run(stack, "keys", "roll", "--check").exit_code == 0
    assert "QSTASH_CURRENT_SIGNING_KEY=sig_" in run(stack, "keys", "roll").output
    assert "the account's keys were rolled" in checkup(stack, "--no-probe")
    again = roll(stack)
    assert (again.exit_code, "do not have the account's present keys" in again.output) == (1, True)
    keys = stack.request_queue("/v2/keys")
    stack.set(QSTASH_CURRENT_SIGNING_KEY=keys["current"], QSTASH_NEXT_SIGNING_KEY=keys["next"])
    early = roll(stack)  # the file has them, the functions that run do not
    assert (early.exit_code, "the next key's signatures would be refused" in early.output) == (1, True)
    assert stack.request_queue("/v2/keys") == keys
    headers = {"Authorization": f"Bearer {stack.settings['QSTASH_TOKEN']}"}
    httpx.post(f"{stack.settings['QSTASH_URL']}/v2/keys/rotate", headers=headers, trust_env=False).raise_for_status()
    assert "the signature is refused (401)" in checkup(stack)
    assert stack.refused > 0


def test_tokens_of_queue_and_store_are_changed_while_a_job_runs(stack: KeyedStack) -> None:
    """The old ones end at once: what runs meanwhile is tried again, and goes on after the deploy."""
    queue_token = base64.b64encode(json.dumps({"UserID": USER, "Password": "1"}).encode()).decode()
    stack.start_queue("--token", queue_token)
    stack.set(QSTASH_TOKEN=queue_token)
    stack.deploy()
    job_id = stack.submit("slow", "Note them.")
    wait_for(lambda: progressed(stack, job_id, 2), "some progress")
    new_token = base64.b64encode(json.dumps({"UserID": USER, "Password": "2"}).encode()).decode()
    stack.start_queue("--token", new_token)
    stack.start_store("--token", "another-store-token")
    stack.set(QSTASH_TOKEN=new_token, UPSTASH_REDIS_REST_TOKEN="another-store-token")
    wait_for(lambda: 503 in stack.outcomes(), "a delivery that could not be handled with the old tokens")
    stack.deploy()
    stack.completed(job_id)
    notes = (stack.folder / "notes").read_text().split()
    assert sorted(notes) == sorted(str(number) for number in range(STEPS))


def test_a_clients_key_is_changed_while_both_are_let_in(stack: KeyedStack) -> None:
    """The new one is made, then used, then the old one is revoked; a process that starts then knows one of them."""

    def made() -> str:
        return run(stack, "keys", "create", "--tenant", "acme", "--role", "client").output.splitlines()[-1]

    def status(key: str) -> int:
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.get(f"{stack.app.url}/api/agent-jobs", headers=headers, trust_env=False).status_code

    old, new = made(), made()
    assert (status(old), status(new)) == (200, 200)
    assert run(stack, "keys", "revoke", old).exit_code == 0
    stack.deploy()  # else it may be let in for half a minute
    assert (status(old), status(new)) == (401, 200)
