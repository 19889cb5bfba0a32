"""What the page on operations says that a typical job uses is what one uses."""

import time
from collections.abc import Iterator

import pytest

from tests.docs.generated.operators import CALLS, TURNS, TYPICAL
from tests.e2e.dev_stack import stacks
from tests.e2e.ledger_agents import CALLS as MADE
from tests.e2e.meters import BridgeMeters, Units
from tests.e2e.test_ledger import STILL

pytestmark = [pytest.mark.e2e, pytest.mark.long]

# The page rounds. The backup message comes a minute later, and looks at its job.
ROUNDED, BACKUP_SECONDS = 0.02, 63.0


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Units]]:
    """What a typical job uses with its backup message in each mode: its second run, when scripts are known.

    Both stacks wait for their backup messages at the same time.
    """
    with stacks(tmp_path_factory.mktemp("costs")) as make:
        running = {mode: make("ledger_agents", CONTINUATION=mode, **STILL).start() for mode in TYPICAL}
        for stack in running.values():
            stack.ask("qstash", "/v2/schedules/agent.sweep", "DELETE")  # it would count where an hour begins
        meters = {mode: BridgeMeters(stack) for mode, stack in running.items()}
        for each in meters.values():
            each.run("typical")
        time.sleep(BACKUP_SECONDS)
        counted = {mode: each.run("typical")[1] for mode, each in meters.items()}
        before = {mode: each.when_quiet() for mode, each in meters.items()}
        time.sleep(BACKUP_SECONDS)
        yield {mode: counted[mode] + (each.when_quiet() - before[mode]) for mode, each in meters.items()}


@pytest.mark.parametrize("mode", ["inline", "queue"])
def test_a_typical_job_uses_what_the_page_says(used: dict[str, Units], mode: str) -> None:
    """Neither more nor less: else `tests/docs/generated/operators.py` has to be written anew."""
    counted, shown = used[mode], TYPICAL[mode]
    assert (counted.messages, counted.deliveries) == (shown.messages, shown.deliveries)
    for name in ("commands", "size_bytes"):
        assert getattr(counted, name) == pytest.approx(getattr(shown, name), rel=ROUNDED), f"{name} in mode {mode}"
    assert (CALLS, TURNS) == (MADE, MADE + 1)
