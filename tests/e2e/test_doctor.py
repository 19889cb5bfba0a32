"""`baton doctor` and `baton setup` on a real stack: well as it stands, and told apart what is wrong."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from baton_local.cli.main import main
from tests.e2e.dev_stack import QUICK_RECOVERY, DevStack

pytestmark = pytest.mark.e2e


@pytest.fixture
def swapped(stack: DevStack) -> dict[str, str]:
    """The stack's settings, as a deployment has them."""
    return {**stack.settings, **QUICK_RECOVERY, "NO_PROXY": "127.0.0.1,localhost"}


def run(environment: dict[str, str], *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments], env=environment)


def not_well(environment: dict[str, str], *arguments: str) -> list[dict[str, Any]]:
    done = run(environment, "doctor", "--json", *arguments)
    document = json.loads(done.output)
    found = [each for each in document["findings"] if each["level"] in ("failed", "warning")]
    assert done.exit_code == (1 if any(each["level"] == "failed" for each in found) else 0)
    assert document["ok"] is (done.exit_code == 0)
    for secret in ("QSTASH_TOKEN", "UPSTASH_REDIS_REST_TOKEN", "QSTASH_CURRENT_SIGNING_KEY"):
        assert environment[secret] not in done.output
    return found


def test_a_stack_that_runs_is_well(stack: DevStack) -> None:
    """On one screen; setup has nothing to do there, by the stack's settings and not by those of this shell."""
    done = run({}, "doctor", "--data", str(stack.folder))
    assert done.exit_code == 0, done.output
    assert "All is well." in done.output
    believed = f"all 7 at {stack.described['app_url']}: reached by the queue, signature believed"
    assert believed in " ".join(done.output.split())  # it is folded
    assert len(done.output.splitlines()) <= 24
    planned = run({"PUBLISH_BY": "pigeon"}, "setup", "--data", str(stack.folder), "--dry-run")
    assert "Nothing to do" in planned.output


def test_probes_leave_nothing_behind(stack: DevStack, swapped: dict[str, str]) -> None:
    """No job, no dead letter, though the last ones led nowhere."""
    not_well({**swapped, "WORKER_BASE_URL": "http://127.0.0.1:9"})
    listed = run(swapped, "jobs", "list", "--json", "--data", str(stack.folder))
    assert json.loads(listed.output) == []
    assert stack.ask("qstash", "/v2/dlq")["messages"] == []


@pytest.mark.parametrize(
    ("changed", "check", "text"),
    [
        ({"QSTASH_TOKEN": "wrong"}, "queue", "refused the token"),
        (
            {"QSTASH_CURRENT_SIGNING_KEY": "sig_other", "QSTASH_NEXT_SIGNING_KEY": "sig_another"},
            "keys",
            "every message is a 401",
        ),
        ({"UPSTASH_REDIS_REST_TOKEN": "wrong"}, "store", "UPSTASH_REDIS_REST_TOKEN"),
        ({"UPSTASH_REDIS_REST_URL": "http://127.0.0.1:9"}, "store", "no usable answer from the store"),
        ({"UPSTASH_VECTOR_REST_TOKEN": "wrong"}, "memory", "UPSTASH_VECTOR_REST_TOKEN to the token of this index"),
        ({"UPSTASH_VECTOR_REST_URL": "http://127.0.0.1:9"}, "memory", "check UPSTASH_VECTOR_REST_URL"),
        ({"WORKER_BASE_URL": "http://127.0.0.1:9"}, "endpoints", "the queue cannot reach it"),
        ({"PUBLISH_BY": "topic", "QSTASH_TOPIC_PREFIX": "never-set-up"}, "topics", "does not deliver to"),
    ],
)
def test_each_wrong_setting_is_reported(
    swapped: dict[str, str], changed: dict[str, str], check: str, text: str
) -> None:
    found = [each for each in not_well({**swapped, **changed}) if each["check"] == check]
    assert found
    assert text in found[0]["text"] + found[0]["wayOut"]
    assert found[0]["wayOut"]


def test_swapped_keys_work_and_are_reported(swapped: dict[str, str]) -> None:
    """A warning is no failure."""
    current, following = swapped["QSTASH_CURRENT_SIGNING_KEY"], swapped["QSTASH_NEXT_SIGNING_KEY"]
    (found,) = not_well({**swapped, "QSTASH_CURRENT_SIGNING_KEY": following, "QSTASH_NEXT_SIGNING_KEY": current})
    assert (found["level"], "swapped" in found["text"]) == ("warning", True)


def test_a_wrong_path_is_reported_as_the_app_answers(swapped: dict[str, str]) -> None:
    """And the account, which has the right one."""
    found = not_well({**swapped, "WORKER_BASE_URL": f"{swapped['WORKER_BASE_URL']}/api/v9"})
    assert any("nothing is served there (404)" in each["text"] for each in found if each["check"] == "endpoints")
    assert any("agent.sweep: it sends to" in each["text"] for each in found if each["check"] == "schedules")


def test_an_app_of_another_address_refuses_what_was_signed_for_this_one(swapped: dict[str, str]) -> None:
    """The signature is for a URL: `localhost` is not `127.0.0.1`."""
    other = swapped["WORKER_BASE_URL"].replace("127.0.0.1", "localhost")
    found = [each for each in not_well({**swapped, "WORKER_BASE_URL": other}) if each["check"] == "endpoints"]
    assert "the signature is refused (401)" in found[0]["text"]
    assert "the same WORKER_BASE_URL" in found[0]["wayOut"]


@pytest.fixture
def prefix(swapped: dict[str, str]) -> Iterator[str]:
    """Of a deployment that is taken away afterwards."""
    yield "second"
    run({**swapped, "QSTASH_TOPIC_PREFIX": "second"}, "setup", "--prune")


def test_a_second_deployment_on_the_account_is_set_up_and_then_well(swapped: dict[str, str], prefix: str) -> None:
    second = {**swapped, "QSTASH_TOPIC_PREFIX": prefix, "PUBLISH_BY": "topic"}
    assert not_well(second, "--no-probe")
    assert run(second, "setup").exit_code == 0
    assert not_well(second) == []
    assert "Nothing to do" in run(swapped, "setup", "--prune").output
