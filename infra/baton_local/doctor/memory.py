"""Whether the vector index of long-term memory answers, and takes texts; a deployment may have none."""

from baton.ports import LongTermMemory
from baton_events.errors import MemoryUnavailableError
from baton_local.doctor.finding import Finding, failed, ok

CHECK = "memory"
_TENANT = "baton-doctor"  # of nobody: nothing is ever added to it


async def look_at_memory(memory: LongTermMemory | None) -> list[Finding]:
    """What is to be said of it."""
    if memory is None:
        return []
    try:
        await memory.search(_TENANT, "probe", 1, 0.0)
    except MemoryUnavailableError as error:
        return [failed(CHECK, str(error), _way_out(str(error)))]
    return [ok(CHECK, "the vector index answers")]


def _way_out(error: str) -> str:
    if "Unauthorized" in error:
        return "set UPSTASH_VECTOR_REST_TOKEN to the token of this index"
    if "embedding model" in error:
        return "make an index with an embedding model: this one takes vectors only, and Baton sends texts"
    return "check UPSTASH_VECTOR_REST_URL; without it and its token, agents remember within a session"
