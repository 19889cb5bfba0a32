"""Defects of streams; caught in worlds whose models say their texts piece by piece, and whose streams are read."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from baton.agents.talk import Talk
from baton.api import stream
from baton.core import parts
from baton.core.effects import Changes
from baton.core.happenings import Spoken
from baton.engine import claiming, operations
from baton.ports import Claim
from tests.fakes import Tree
from tests.simulation.planting import Defect, Patch, replaced

_LetGo = Callable[..., Tree]


def _leaving_it_open(let_go: _LetGo) -> _LetGo:
    """An open text is closed only by who goes on with it."""
    return lambda tree, leg, rest=None: let_go(tree, replace(leg, text_id=""), rest)


def _without_its_name(let_go: _LetGo) -> _LetGo:
    """What was abandoned is closed and not named."""

    def nameless(tree: Tree, leg: Any, rest: tuple[str, ...] | None = None) -> Tree:
        if rest is None and leg.text_id:
            rest = parts.abandoned(leg.text_id)[:1]
        return let_go(tree, leg, rest)

    return nameless


def _going_on_anyway(done: Callable[..., Any]) -> Callable[..., Any]:
    """A COMMIT does not look whether the text is there as its owner left it."""

    def blind(tree: Tree, claim: Claim, changes: Changes) -> Any:
        leg = tree.legs[claim.leg_key]
        if changes.talk is None or not leg.text_id:
            return done(tree, claim, changes)
        as_it_is = replace(changes.talk, text_id=leg.text_id, appended=leg.appended)
        return done(tree, replace(claim, owner=leg.owner), replace(changes, talk=as_it_is))

    return blind


def _under_another_number(send: Callable[..., Any]) -> Callable[..., Any]:
    """What was not answered is sent again as if it were new."""

    async def anew(self: Any) -> None:
        if self._unanswered is not None:
            self._appended += 1
        await send(self)

    return anew


def _forgetting_what_was_not_answered(send: Callable[..., Any]) -> Callable[..., Any]:
    async def forgetting(self: Any) -> None:
        await send(self)
        if self._unanswered is not None:
            self._told += self._unanswered.text
            self._unanswered = None

    return forgetting


def _from_memory(spoken: Callable[..., Any]) -> Callable[..., Any]:
    """What another model said before it failed is thought to stand."""

    async def everything(self: Any) -> Spoken | None:
        found: Spoken | None = await spoken(self)
        return found and replace(found, text="")

    return everything


async def _withdrawn_in_mind(said: Any) -> None:
    """What was said before is forgotten here, and stays in the stream."""
    said._held = said._waiting = said._told = ""


def _one_late(after: Callable[[Any], int]) -> Callable[[Any], int]:
    return lambda request: max(0, after(request) - 1)


def _in_streams(name: str, invariant: str, *patches: Patch) -> Defect:
    return Defect(name, invariant, patches, streams=True)


DEFECTS = (
    _in_streams(
        "an abandoned text stays open",
        "an_open_text_is_its_leg_s",
        Patch(claiming, "let_go", _leaving_it_open),
    ),
    _in_streams(
        "an abandoned text is not named",
        "the_texts_that_stand_are_what_was_answered",
        Patch(claiming, "let_go", _without_its_name),
    ),
    _in_streams(
        "a COMMIT goes on with whatever text is open",
        "the_texts_that_stand_are_what_was_answered",
        Patch(operations, "done", _going_on_anyway),
    ),
    _in_streams(
        "what was not answered is appended again",
        "the_texts_that_stand_are_what_was_answered",
        Patch(Talk, "_send", _under_another_number),
    ),
    _in_streams(
        "what was not answered is thought to be there",
        "the_texts_that_stand_are_what_was_answered",
        Patch(Talk, "_send", _forgetting_what_was_not_answered),
    ),
    _in_streams(
        "all attempts of a turn say one text",
        "each_text_is_one_attempt_s_and_closed",
        replaced(parts, "text_id", lambda turn, *_attempt: f"text-{turn}"),
    ),
    _in_streams(
        "what another model said before stays",
        "the_texts_that_stand_are_what_was_answered",
        replaced(Talk, "withdrawn", _withdrawn_in_mind),
    ),
    _in_streams(
        "a COMMIT says again what was appended",
        "the_texts_that_stand_are_what_was_answered",
        Patch(Talk, "spoken", _from_memory),
    ),
    _in_streams(
        "a reader that comes back gets one part again",
        "a_reader_gets_each_part_once_and_in_order",
        Patch(stream, "position_of", _one_late),
    ),
)
