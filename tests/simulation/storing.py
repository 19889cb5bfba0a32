"""What must hold where a tenant may store few bytes; by name, like invariants.py."""

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.world import World


def what_is_counted_is_what_was_written(world: "World") -> str | None:
    """Where nothing goes wrong the quota knows what the usage ledger of a tenant's jobs say, once all have ended."""
    if not world.plan.bytes_kept or not world.plan.faultless:
        return None
    written = Counter[str]()
    for tree in world.trees.values():
        for name, job in tree.jobs.items():
            written[job.tenant] += tree.usage[name].written
    counted = Counter({tenant: sum(sums.values()) for tenant, sums in world.admission.stored.items()})
    return f"{+counted} bytes are counted, and {+written} were written" if +counted != +written else None


ON_ALL_STORED = (what_is_counted_is_what_was_written,)
