"""Defects of streams; caught in worlds whose models say their texts piece by piece, and whose streams are read."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from baton.api import stream
from baton.api.ag_ui import runs
from baton.engine import stream_parts
from baton.engine.commit import claiming, operations
from baton.engine.commit.answers import Claim
from baton.engine.effects import Changes
from baton.engine.step_results import StreamedText
from baton.executors.text_stream import TextStream
from tests.fakes import Tree
from tests.simulation.planting import Defect, Patch, replaced

_LetGo = Callable[..., Tree]


def _leaving_it_open(let_go: _LetGo) -> _LetGo:
    """An open text is closed only by who goes on with it."""
    return lambda tree, item, rest=None: let_go(tree, replace(item, text_id=""), rest)


def _without_its_name(let_go: _LetGo) -> _LetGo:
    """What was abandoned is closed and not named."""

    def nameless(tree: Tree, item: Any, rest: tuple[str, ...] | None = None) -> Tree:
        if rest is None and item.text_id:
            rest = stream_parts.abandoned(item.text_id)[:1]
        return let_go(tree, item, rest)

    return nameless


def _going_on_anyway(done: Callable[..., Any]) -> Callable[..., Any]:
    """A COMMIT does not look whether the text is there as its owner left it."""

    def blind(tree: Tree, claim: Claim, changes: Changes) -> Any:
        item = tree.items[claim.item_key]
        if changes.text_stream is None or not item.text_id:
            return done(tree, claim, changes)
        as_it_is = replace(changes.text_stream, text_id=item.text_id, appended=item.appended)
        return done(tree, replace(claim, owner=item.owner), replace(changes, text_stream=as_it_is))

    return blind


def _under_another_number(send: Callable[..., Any]) -> Callable[..., Any]:
    """What was not answered is sent again as if it were new."""

    async def anew(self: TextStream) -> None:
        if self._unanswered is not None:
            self._appended += 1
        await send(self)

    return anew


def _forgetting_what_was_not_answered(send: Callable[..., Any]) -> Callable[..., Any]:
    async def forgetting(self: TextStream) -> None:
        await send(self)
        if self._unanswered is not None:
            self._sent += self._unanswered.text
            self._unanswered = None

    return forgetting


def _from_memory(streamed_text: Callable[..., Any]) -> Callable[..., Any]:
    """What another model said before it failed is thought to stand."""

    async def everything(self: TextStream) -> StreamedText | None:
        found: StreamedText | None = await streamed_text(self)
        return found and replace(found, text="")

    return everything


async def _withdrawn_in_mind(shown: TextStream) -> None:
    """What was said before is forgotten here, and stays in the stream."""
    shown._held = shown._waiting = shown._sent = ""


def _one_late(after: Callable[[Any], int]) -> Callable[[Any], int]:
    return lambda request: max(0, after(request) - 1)


def _in_streams(name: str, invariant: str, *patches: Patch) -> Defect:
    return Defect(name, invariant, patches, streams=True)


def _behind_the_part(position_in: Callable[..., Any]) -> Callable[..., Any]:
    return lambda request: (found := position_in(request)) and (found[0], 1_000)


def _before_the_part(position_in: Callable[..., Any]) -> Callable[..., Any]:
    return lambda request: (found := position_in(request)) and (found[0], 0)


DEFECTS = (
    _in_streams(
        "an abandoned text stays open",
        "an_open_text_is_its_items",
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
        Patch(TextStream, "_send", _under_another_number),
    ),
    _in_streams(
        "what was not answered is thought to be there",
        "the_texts_that_stand_are_what_was_answered",
        Patch(TextStream, "_send", _forgetting_what_was_not_answered),
    ),
    _in_streams(
        "all attempts of a turn say one text",
        "each_text_is_one_attempt_s_and_closed",
        replaced(stream_parts, "text_id", lambda turn, *_attempt: f"text-{turn}"),
    ),
    _in_streams(
        "what another model said before stays",
        "the_texts_that_stand_are_what_was_answered",
        replaced(TextStream, "withdrawn", _withdrawn_in_mind),
    ),
    _in_streams(
        "a COMMIT says again what was appended",
        "the_texts_that_stand_are_what_was_answered",
        Patch(TextStream, "streamed_text", _from_memory),
    ),
    _in_streams(
        "a reader that comes back gets one part again",
        "a_reader_gets_each_part_once_and_in_order",
        Patch(stream, "position_of", _one_late),
    ),
    Defect(
        "a front end that comes back in the middle of a part misses its rest",
        "a_reader_gets_each_part_once_and_in_order",
        (Patch(runs, "position_in", _behind_the_part),),
        front_ends=True,
    ),
    Defect(
        "a front end that comes back gets the whole part again",
        "a_reader_gets_each_part_once_and_in_order",
        (Patch(runs, "position_in", _before_the_part),),
        front_ends=True,
    ),
)
