"""What the demo model does next: what it says, and the calls that it makes; without calls, the text is its answer."""

from dataclasses import dataclass

from functions.models.call import Call


@dataclass(frozen=True)
class Step:
    """One turn of the demo model."""

    text: str
    calls: tuple[Call, ...] = ()
