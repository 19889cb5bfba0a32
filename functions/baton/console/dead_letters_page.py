"""Dead letters, in groups of the same error; retrying and deleting a whole group."""

from dataclasses import dataclass

from starlette.responses import Response

from baton.api.problem import ApiError
from baton.console.form import field
from baton.console.gate import Visit
from baton.console.message_kind import alike, kind_of, why_dead
from baton.ports import DeadLetter, QueueRecords
from baton.recovery.dead_letters import all_dead_letters
from baton.recovery.replaying import SENDABLE, Looked, MessageState, Replaying
from baton_events.ids import digest

HOME = "/console/dead-letters"
_PAGES, _SHOWN = 10, 50
_RETRIED = SENDABLE | {MessageState.FOREIGN}


@dataclass(frozen=True)
class Group:
    """Dead letters with the same kind, status and error. `why`: of the newest one."""

    id: str
    kind: str
    status: int
    why: str
    letters: list[DeadLetter]

    @property
    def newest_ms(self) -> int:
        """When the newest one died."""
        return max(died_ms(letter) for letter in self.letters)


class DeadLettersPage:
    """Shows dead letters, and tends them."""

    def __init__(self, records: QueueRecords, replaying: Replaying) -> None:
        self._records = records
        self._replaying = replaying

    async def show(self, visit: Visit) -> Response:
        """All groups; the rows of one that was opened."""
        groups, more = await self._groups()
        opened = next((group for group in groups if group.id == visit.query("group")), None)
        rows: list[tuple[DeadLetter, str, int, Looked]] = []
        if opened is not None:
            shown = sorted(opened.letters, key=died_ms, reverse=True)[:_SHOWN]
            looked = await self._replaying.look([letter.message for letter in shown])
            rows = [
                (letter, why_dead(letter), died_ms(letter), stands)
                for letter, stands in zip(shown, looked, strict=True)
            ]
        return visit.page("dead_letters.html", groups=groups, opened=opened, rows=rows, more=more)

    async def retry(self, visit: Visit) -> Response:
        """Make each of a group a new message; those that were applied already stay."""
        group = await self._group(visit)
        looked = await self._replaying.look([letter.message for letter in group.letters])
        wanted = [letter.id for letter, stands in zip(group.letters, looked, strict=True) if stands.state in _RETRIED]
        done = await self._records.retry(wanted)
        left = len(group.letters) - len(wanted)
        said = f"{done} of {len(group.letters)} are tried again."
        if left:
            said += f" {left} were applied already, or their jobs are gone: they stay here until you delete them."
        return visit.go(HOME, said)

    async def delete(self, visit: Visit) -> Response:
        """Delete a group."""
        group = await self._group(visit)
        done = await self._records.delete([letter.id for letter in group.letters])
        return visit.go(HOME, f"{done} dead letters are deleted.")

    async def _group(self, visit: Visit) -> Group:
        wanted = field(visit.form, "group")
        for group in (await self._groups())[0]:
            if group.id == wanted:
                return group
        raise ApiError(404, "this group is empty by now: go back to the dead letters, and load the page again")

    async def _groups(self) -> tuple[list[Group], bool]:
        """The groups, the largest first, and whether there are more dead letters than were looked at."""
        letters, more = await all_dead_letters(self._records, most_pages=_PAGES)
        return grouped(letters), more


def grouped(letters: list[DeadLetter]) -> list[Group]:
    """Letters by kind, status, and what their errors have in common."""
    groups: dict[str, Group] = {}
    for letter in sorted(letters, key=died_ms, reverse=True):
        kind, why = kind_of(letter.message), why_dead(letter)
        group_id = digest(kind, letter.status, alike(why))[:12]
        groups.setdefault(group_id, Group(group_id, kind, letter.status, why, [])).letters.append(letter)
    return sorted(groups.values(), key=lambda group: -len(group.letters))


def died_ms(letter: DeadLetter) -> int:
    """When it died: its id begins with that; else when it was created."""
    head = letter.id.partition("-")[0]
    return int(head) if head.isdecimal() and len(head) == len("1795165405120") else letter.message.created_ms
