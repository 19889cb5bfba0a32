"""The queue's dead letters, page after page."""

from itertools import count

from baton.ports import DeadLetter, QueueRecords


async def all_dead_letters(
    records: QueueRecords, *, url: str = "", most_pages: int | None = None
) -> tuple[list[DeadLetter], bool]:
    """Those for this address, or all, of so many pages at most; and whether there are more.

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
