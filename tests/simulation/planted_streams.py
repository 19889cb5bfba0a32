"""Defects of streams; caught in worlds whose models say their texts piece by piece, and whose streams are read."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from baton.engine import stream_parts
from baton.engine.commit import claiming, operations
from baton.engine.commit.answers import Claim
from baton.engine.commit.draft import Draft
from baton.engine.effects import Changes
from baton.engine.step_results import StreamedText
from baton.server.api import stream
from baton.server.protocols.ag_ui import runs
from baton.worker.executors.text_stream import TextStream
from tests.simulation import plan
from tests.simulation.planting import Patch, around, defects, given, replaced

_LetGo = Callable[..., None]


def _without_its_name(let_go: _LetGo, draft: Draft, item: Any, rest: tuple[str, ...] | None = None) -> None:
    """What was abandoned is closed and not named."""
    if rest is None and item.text_id:
        rest = stream_parts.abandoned(item.text_id)[:1]
    let_go(draft, item, rest)


def _going_on_anyway(finish: Callable[..., Any], draft: Draft, claim: Claim, changes: Changes) -> Any:
    """A COMMIT does not look whether the text is there as its owner left it."""
    item = draft.items[claim.item_key]
    if changes.text_stream is None or not item.text_id:
        return finish(draft, claim, changes)
    as_it_is = replace(changes.text_stream, text_id=item.text_id, appended=item.appended)
    return finish(draft, replace(claim, owner=item.owner), replace(changes, text_stream=as_it_is))


async def _under_another_number(send: Callable[..., Any], self: TextStream) -> None:
    """What was not answered is sent again as if it were new."""
    if self._unanswered is not None:
        self._appended += 1
    await send(self)


async def _forgetting_what_was_not_answered(send: Callable[..., Any], self: TextStream) -> None:
    await send(self)
    if self._unanswered is not None:
        self._sent += self._unanswered.text
        self._unanswered = None


async def _from_memory(streamed_text: Callable[..., Any], self: TextStream) -> StreamedText | None:
    """What another model said before it failed is thought to stand."""
    found: StreamedText | None = await streamed_text(self)
    return found and replace(found, text="")


async def _withdrawn_in_mind(shown: TextStream) -> None:
    """What was said before is forgotten here, and stays in the stream."""
    shown._held = shown._waiting = shown._sent = ""


def _coming_back_at(within: int) -> Patch:
    """A front end's place in a part is this one."""
    return around(
        runs, "position_in", lambda position_in, request: (found := position_in(request)) and (found[0], within)
    )


DEFECTS = (
    *defects(
        plan.STREAMING_SEEDS,
        an_open_text_is_its_items={"an abandoned text stays open": given(claiming, "let_go", 1, text_id="")},
        the_texts_that_stand_are_what_was_answered={
            "an abandoned text is not named": around(claiming, "let_go", _without_its_name),
            "a COMMIT goes on with whatever text is open": around(operations, "finish", _going_on_anyway),
            "what was not answered is appended again": around(TextStream, "_send", _under_another_number),
            "what was not answered is thought to be there": around(
                TextStream, "_send", _forgetting_what_was_not_answered
            ),
            "what another model said before stays": replaced(TextStream, "withdrawn", _withdrawn_in_mind),
            "a COMMIT says again what was appended": around(TextStream, "streamed_text", _from_memory),
        },
        each_text_is_one_attempt_s_and_closed={
            "all attempts of a turn say one text": replaced(
                stream_parts, "text_id", lambda turn, *_attempt: f"text-{turn}"
            )
        },
        a_reader_gets_each_part_once_and_in_order={
            "a reader that comes back gets one part again": around(
                stream, "position_of", lambda position_of, request: max(0, position_of(request) - 1)
            )
        },
    ),
    *defects(
        plan.FRONT_END_SEEDS + plan.STREAMING_SEEDS,
        a_reader_gets_each_part_once_and_in_order={
            "a front end that comes back in the middle of a part misses its rest": _coming_back_at(1_000),
            "a front end that comes back gets the whole part again": _coming_back_at(0),
        },
    ),
)
