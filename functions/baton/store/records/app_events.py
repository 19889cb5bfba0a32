"""Records of app events: the event, its handlers, and notes besides its jobs. For people and replays."""

from msgspec import Struct, field

ERASED = "erased"  # the note of an event whose data was erased: nothing follows from it any more
MISFIT = "misfit"  # the note with what does not fit its handlers
SENT_BY = "by"  # the note with the handler's job that has sent an event or started a job


class EventRecord(Struct, frozen=True):
    """One app event: the message's body, its handlers' names, and notes by name.

    `new`: it was not there before. `erased_ms`: when the data of the person whose it is was erased last; 0: never.
    """

    event: str
    handlers: tuple[str, ...] = ()
    notes: dict[str, str] = field(default_factory=dict[str, str])
    new: bool = False
    erased_ms: int = 0
