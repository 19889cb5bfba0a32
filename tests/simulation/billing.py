"""Invariants of the money: what a request writes into usage ledgers is what its invocations had spent, once.

ON_BILLED: at each request that is written, with all who pay by it. One whose answer is lost counts as billed.
"""

import json
from collections.abc import Collection, Sequence
from operator import sub

from msgspec import Struct

from baton.engine.commit.tree import Tree
from baton.engine.state import NOTHING_USED, Usage
from tests.simulation.invocation import Invocation


class Billed(Struct, frozen=True):
    """A request that is written: the tree before and after, who pays, and who of them has not paid before."""

    before: Tree
    after: Tree
    who: Sequence[Invocation]
    anew: Sequence[Invocation]

    @property
    def is_unsure(self) -> bool:
        """Whether a fault may have taken the bill away."""
        return any(who.faulty or who.dead or who.bill_forgotten for who in self.who)

    @property
    def is_owed(self) -> bool:
        """Whether another write of its one invocation may bill the delivery."""
        if len(self.anew) != 1 or not self.anew[0].limit_seconds or self.anew[0].over:
            return False
        return not self.added()[0]

    def added(self, job_ids: Collection[str] | None = None) -> list[int]:
        """What these ledgers of the tree have more, or all of them."""
        sums = [[0] * len(_NAMES)]
        for job_id, usage in self.after.usage.items():
            if job_ids is not None and job_id not in job_ids:
                continue
            was = self.before.usage.get(job_id, NOTHING_USED)
            sums.append(list(map(sub, _amounts(usage), _amounts(was))))
        return list(map(sum, zip(*sums, strict=True)))


_NAMES = ("deliveries", "messages", "redisRequests", "redisCommands", "redisBytes")


def _amounts(usage: Usage) -> tuple[int, ...]:
    return usage.deliveries, usage.messages, usage.redis_requests, usage.redis_commands, usage.redis_bytes


def a_delivery_is_billed_once(billed: Billed) -> str | None:
    """By the first write of its invocation that pays, however often that is asked for.

    Writes of one invocation to several trees go side by side: the one that has the delivery may be written later.
    """
    anew = len({id(who) for who in billed.anew if who.limit_seconds})
    deliveries, *_ = billed.added()
    if deliveries > anew or (deliveries < anew and not billed.is_unsure and not billed.is_owed):
        return f"{deliveries} deliveries are billed, and {anew} have not been before"
    return None


def an_event_says_what_was_billed_for_it(billed: Billed) -> str | None:
    """All that is added to the ledgers of jobs with events, where each of those who pay ends one.

    Who ends the jobs below notes in their ledgers what is theirs: pieces of text that were streamed.
    """
    new = [
        (job_id, text)
        for job_id, texts in billed.after.parts.items()
        for text in texts[len(billed.before.parts.get(job_id, ())) :]
        if '"used":{' in text and '"type":"data-event"' in text
    ]
    shown = [json.loads(text)["data"]["used"] for _, text in new]
    if len(shown) != len(billed.who):
        return None
    told = [sum(used.get(name, 0) for used in shown) for name in _NAMES]
    added = billed.added({job_id for job_id, _ in new})
    return None if told == added else f"{added} is billed, and the events say {told}"


ON_BILLED = (a_delivery_is_billed_once, an_event_says_what_was_billed_for_it)
