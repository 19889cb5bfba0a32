"""What the page on operations says that a typical job uses is what one uses."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from baton_local.docs.cost_table import CALLS, TURNS, TYPICAL
from tests.e2e.conftest import stacks
from tests.e2e.dev_stack import QUICK_RECOVERY
from tests.e2e.ledger_meters import LedgerMeters, Units
from tests.e2e.typical_agents import CALLS as MADE

pytestmark = [pytest.mark.e2e, pytest.mark.long]

# The page rounds, and counts the backup message, which comes a minute later, with the job.
DEARER, MUCH_CHEAPER = 1.1, 0.5


@pytest.fixture(params=["inline", "queue"])
def used(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Units]]:
    """What a typical job uses until it has ended, without its backup; its second run, when scripts are known."""
    with stacks(tmp_path_factory.mktemp("costs")) as make, httpx.Client(timeout=120) as client:
        made = make(None, ("--port", "0", "--app", "tests.e2e.typical_agents:registry"))
        made.working_folder = Path(__file__).parents[2]
        still = {"SWEEP_INTERVAL_SECONDS": "3600", "OPERATIONS_STREAM_SECONDS": "0"}
        made.environment = {**QUICK_RECOVERY, "CONTINUATION": request.param, **still}
        meters = LedgerMeters(made.start().described, client)
        meters.run("typical")
        yield request.param, meters.run("typical")[1]


def test_a_typical_job_uses_what_the_page_says(used: tuple[str, Units]) -> None:
    """No more than that, and no less than half: else `infra/baton_local/docs/cost_table.py` has to be written anew."""
    mode, counted = used
    said = TYPICAL[mode]
    for name in ("messages", "deliveries", "commands", "size_bytes"):
        share = getattr(counted, name) / getattr(said, name)
        assert MUCH_CHEAPER <= share <= DEARER or name == "deliveries", (
            f"{name} in mode {mode}: {share:.2f} of the page's"
        )
    assert counted.deliveries <= said.deliveries
    assert (CALLS, TURNS) == (MADE, MADE + 1)
