"""The queue's dead letters, page after page; failure callbacks among them are delivered again.

An outage outlasted their retries. The subject of such a message is then known to the dead letters alone: the admission
may have forgotten the job, and a sweep goes by its slot table.
"""

import logging
from itertools import count

from baton.queue.ports import DeadLetter, QueueRecords


async def all_dead_letters(
    records: QueueRecords, *, url: str = "", most_pages: int | None = None
) -> tuple[list[DeadLetter], bool]:
    """Return those for this address, or all, of `most_pages` pages at most; and whether there are more.

    Raises:
        PublishError: the queue does not answer.
    """
    letters: list[DeadLetter] = []
    cursor = ""
    for number in count(1):
        page = await records.dead_letters(url=url, cursor=cursor)
        letters += page.letters
        cursor = page.cursor
        if not cursor or number == most_pages:
            break
    return letters, bool(cursor)


_log = logging.getLogger("baton.sweep")

REFUSED_STATUS = 489  # the endpoint will never take it: it stays for a person


class DeadCallbacks:
    """The dead letters for `url`, the endpoint of failure callbacks."""

    def __init__(self, records: QueueRecords, url: str) -> None:
        self._records = records
        self._url = url

    async def revive(self) -> int:
        """Have them delivered again, with fresh retries; return how many.

        Raises:
            PublishError: the queue does not list them, or does not take them; the caller's message comes again.
        """
        letters, _ = await all_dead_letters(self._records, url=self._url)
        dead = [letter.id for letter in letters if letter.status != REFUSED_STATUS]
        revived = await self._records.retry(dead) if dead else 0
        if revived:
            _log.warning("%d failure callback(s) had used up their retries, and are delivered again", revived)
        return revived
