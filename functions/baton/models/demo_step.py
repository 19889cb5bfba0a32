"""What the demo model does next: what it says, and the calls that it makes; without calls, the text is its answer."""

from msgspec import Struct

from baton.models.call import Call


class Step(Struct, frozen=True):
    """One turn of the demo model."""

    text: str
    calls: tuple[Call, ...] = ()
