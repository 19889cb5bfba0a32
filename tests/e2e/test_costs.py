"""What the page on operations says that a typical job uses is what one uses."""

import time
from collections.abc import Iterator

import pytest

from baton_local.docs.cost_table import CALLS, TURNS, TYPICAL
from tests.e2e.dev_stack import stacks
from tests.e2e.ledger_agents import CALLS as MADE
from tests.e2e.meters import BridgeMeters, Units
from tests.e2e.test_ledger import STILL

pytestmark = [pytest.mark.e2e, pytest.mark.long]

# The page rounds. The backup message comes a minute later, and looks at its job.
ROUNDED, BACKUP_SECONDS = 0.02, 63.0


@pytest.fixture(params=["inline", "queue"])
def used(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Units]]:
    """What a typical job uses with its backup message; its second run, when scripts are known."""
    with stacks(tmp_path_factory.mktemp("costs")) as make:
        meters = BridgeMeters(make("ledger_agents", CONTINUATION=request.param, **STILL).start())
        meters.run("typical")
        time.sleep(BACKUP_SECONDS)
        _, used = meters.run("typical")
        before = meters.when_quiet()
        time.sleep(BACKUP_SECONDS)
        yield request.param, used + (meters.when_quiet() - before)


def test_a_typical_job_uses_what_the_page_says(used: tuple[str, Units]) -> None:
    """Neither more nor less: else `infra/baton_local/docs/cost_table.py` has to be written anew."""
    mode, counted = used
    shown = TYPICAL[mode]
    assert (counted.messages, counted.deliveries) == (shown.messages, shown.deliveries)
    for name in ("commands", "size_bytes"):
        assert getattr(counted, name) == pytest.approx(getattr(shown, name), rel=ROUNDED), f"{name} in mode {mode}"
    assert (CALLS, TURNS) == (MADE, MADE + 1)
