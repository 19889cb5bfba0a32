"""Jobs that wait for an agent or a workflow which this deploy lacks: a rename, or an import that is gone.

Their steps wait for a deploy that has it (`engine.decide`). Invariant: it costs one read of the admission's entries.
"""

import logging
from collections import Counter
from collections.abc import Mapping

from baton.engine.all_jobs.slots import QueueEntry
from baton.sdk.agents.registry import Registry, UnknownAgentError
from baton.store.redis.admission import AdmissionControl
from baton_events.errors import StoreError

_log = logging.getLogger("baton.deploy")
WAY_OUT = "deploy the code that has it, or cancel them"


def gone_agents(registry: Registry, live: Mapping[str, QueueEntry]) -> list[tuple[str, str]]:
    """Return each name that jobs wait for and the registry lacks, with what to say of it."""
    counts, found = Counter(entry.agent for entry in live.values() if entry.agent), list[tuple[str, str]]()
    for name, count in sorted(counts.items()):
        try:
            registry.agent(name)
        except UnknownAgentError:
            jobs = "1 job waits" if count == 1 else f"{count} jobs wait"
            found.append((name, f"{jobs} for {name!r}, which is no agent or workflow of this deploy"))
    return found


async def warn_of_gone_agents(registry: Registry, control: AdmissionControl) -> None:
    """Log what jobs wait for and this deploy lacks; a store that does not answer now is no failure of the start."""
    try:
        live = await control.live()
    except StoreError:
        return
    for _, words in gone_agents(registry, live):
        _log.warning("%s: %s", words, WAY_OUT)
