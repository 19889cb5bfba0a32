"""How a model of a generated job says its text: word by word, now and then after a draft that is withdrawn."""

from typing import TYPE_CHECKING

from baton.models.model import ModelRequest
from tests.simulation.invocation import CURRENT

if TYPE_CHECKING:
    from tests.simulation.world import World

_PAUSE, _DRAFT = 131, 132
_LONGEST_PAUSE_SECONDS = 0.2


async def say(world: "World", request: ModelRequest, text: str) -> None:
    """Say it to whoever listens. Another model of the chain begins anew: what the one before said is withdrawn."""
    listener, who = request.listener, CURRENT.get()
    if listener is None or not text:
        return
    if world.dice.chance(0.15, _DRAFT, who.number, request.turn):
        for word in ("this", " is", " a", " draft"):
            await listener.write(word)
        await listener.withdrawn()
    first, *others = text.split(" ")
    for number, piece in enumerate((first, *(f" {word}" for word in others))):
        await world.loop.sleep(_LONGEST_PAUSE_SECONDS * world.dice.roll(_PAUSE, who.number, request.turn, number))
        await listener.write(piece)
