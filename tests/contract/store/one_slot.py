"""The real connection, which fails where a cluster would: on a command whose keys are in two slots.

What one call sends of several slots is no fault, since each command goes to its owner; but the adapters do so in few
places only, and a new one is to be looked at: whatever has to be atomic, or in order, must not be split.
"""

import re
from collections.abc import Sequence
from typing import Any

from baton.store.redis.connection import RedisConnection
from baton.store.transport.redis_resp import keys_of, slot_of

# Families of keys that one call may go to: neither needs the other to be done, or done before.
SPLIT = {
    frozenset({"admission", "job"}),  # a job is read with what it waits for
    frozenset({"figures", "job"}),  # a script, and counting beside it
    frozenset({"job", "tools"}),  # likewise
    frozenset({"job"}),  # several jobs are looked at
    frozenset({"list"}),  # rows of jobs, and where there are such
    frozenset({"call-limit"}),  # moments of several limits of a call
    frozenset({"admission", "list"}),  # rows of versions before, too
}
# The tags of keys that are no job's (keys.py).
_TAGS = frozenset({"admission", "audit", "call-limit", "figures", "keys", "memory", "operations", "tools"})
_FAMILY = re.compile(r"baton:(?:\{([^:}]*)[^}]*\}|([a-z-]+))")


class OneSlot(RedisConnection):
    async def _send(self, commands: Sequence[Sequence[str | int]], *, beside_scripts: bool = False) -> list[Any]:
        of_each = [{slot_of(key) for key in keys_of(command)} for command in commands]
        for command, slots in zip(commands, of_each, strict=True):
            assert len(slots) <= 1, f"a cluster refuses this, its keys are in several slots: {keys_of(command)}"
        if len(set().union(*of_each)) > 1:
            families = frozenset(family(key) for command in commands for key in keys_of(command))
            assert families in SPLIT, f"one call of several slots: {sorted(families)}"
        return await super()._send(commands, beside_scripts=beside_scripts)


def family(key: str) -> str:
    """What kind of key it is: its tag's first word, "job" for a job's; without a tag, the word before."""
    found = _FAMILY.match(key)
    if found is None:
        return key
    tag, word = found.groups()
    return word if tag is None else tag if tag in _TAGS else "job"
