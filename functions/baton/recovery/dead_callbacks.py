"""Failure callbacks that the queue has given up on, too: an outage outlasted their retries. They are delivered again.

What a message was about is then known to nobody but the queue's dead letters: a job may have been forgotten by the
admission, whose slot table is what a sweep goes by.
"""

import logging

from baton.ports import QueueRecords
from baton.recovery.dead_letters import all_dead_letters

_log = logging.getLogger("baton.sweep")

REFUSED_STATUS = 489  # the endpoint has said that it will never take it: it stays for a person


class DeadCallbacks:
    """The dead letters for `url`, the endpoint of failure callbacks."""

    def __init__(self, records: QueueRecords, url: str) -> None:
        self._records = records
        self._url = url

    async def revive(self) -> int:
        """Have them delivered again, with fresh retries; returns how many.

        Raises:
            PublishError: the queue does not say which they are, or does not take them; who asked comes again.
        """
        letters, _ = await all_dead_letters(self._records, url=self._url)
        dead = [letter.id for letter in letters if letter.status != REFUSED_STATUS]
        revived = await self._records.retry(dead) if dead else 0
        if revived:
            _log.warning("%d failure callback(s) had used up their retries, and are delivered again", revived)
        return revived
