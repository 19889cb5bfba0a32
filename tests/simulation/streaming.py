"""What must hold of texts that are said piece by piece, by name, like invariants.py; written from CONTRACT, "Streams".

ON_STREAMS: at each write of the store. ON_STREAMS_AT_END: of each job's parts; besides what readers have of them.
"""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from baton.engine.commit.answers import Claim
from tests.simulation.ended import Ended
from tests.simulation.invariants import Write
from tests.simulation.watching import of

if TYPE_CHECKING:
    from tests.simulation.stream_readers import StreamReader
    from tests.simulation.world import World


class Sent(Struct, frozen=True):
    """A running tool said something; `dropped`: its claim holds, and nothing was written."""

    world: "World"
    claim: Claim
    sequence: int
    dropped: bool


def _texts(parts: Sequence[dict[str, Any]]) -> dict[str, str]:
    """The texts by id, in order, as a client that follows the protocol has them: without those that were abandoned."""
    texts: dict[str, str] = {}
    for part in parts:
        match part["type"]:
            case "text-start":
                texts[part["id"]] = ""
            case "text-delta":
                texts[part["id"]] += part["delta"]
            case "data-retry":
                del texts[part["data"]["textId"]]
    return texts


def _faults(parts: Sequence[dict[str, Any]]) -> Iterator[str]:
    """What no client could read: every text begins once, is said only while it is open, ends once."""
    claim_result, open_ids, abandoned = set[str](), set[str](), set[str]()
    for part in parts:
        kind, name = part["type"], part.get("id", "")
        if kind == "text-start":
            if name in claim_result or open_ids:
                yield f"{name} begins, and there were {claim_result}, of which {open_ids or 'none'} are open"
            claim_result.add(name)
            open_ids.add(name)
        elif kind in ("text-delta", "text-end") and name not in open_ids:
            yield f"{kind} of {name}, which is not open"
        elif kind == "data-retry":
            name = part["data"]["textId"]
            if name not in claim_result or name in open_ids or name in abandoned:
                yield f"{name} is abandoned, and of {claim_result} are open {open_ids}, abandoned {abandoned}"
            abandoned.add(name)
        elif kind in ("finish", "start-step", "tool-input-available") and open_ids:
            yield f"{kind} while {open_ids} are open"
        if kind == "text-end":
            open_ids.discard(name)


# At each write.


def an_open_text_is_its_items(write: Write) -> str | None:
    """At most one text of a job is open, and a claimed item says that it is its own: whoever comes next closes it."""
    for job_id, parts in write.after.parts.items():
        edges = (part for part in reversed(parts) if '"type":"text-start"' in part or '"type":"text-end"' in part)
        last = next(edges, "")
        still = [json.loads(last)["id"]] if '"type":"text-start"' in last else []
        mine = [item.text_id for item in write.after.items.values() if item.job_id == job_id and item.text_id]
        if still != mine:
            return f"after {write.op} of {write.claim} the open text of {job_id} is {still}; its work items say {mine}"
    return None


ON_STREAMS = (of("parts items", an_open_text_is_its_items),)


# At the end.


def each_text_is_one_attempt_s_and_closed(end: Ended) -> str | None:
    """No two attempts say one text, none is left open, and what was abandoned is named once."""
    return next((f"{end.job.id}: {fault}" for fault in _faults(end.parts)), None)


def the_texts_that_stand_are_what_was_answered(end: Ended) -> str | None:
    """In order, whole, and once: what the transcript says that the model said, and what a live item began to say."""
    entries = [json.loads(entry) for entry in end.tree.transcript.get(end.job.id, ())]
    shown = [entry["text"] for entry in entries if entry["role"] in ("model", "withheld") and entry["text"]]
    claim_result = {item.text_id for item in end.tree.items.values()}
    found = [text for name, text in _texts(end.parts).items() if name not in claim_result]
    return None if found == shown else f"{end.job.id} tells {found}; recorded is {shown}"


ON_STREAMS_AT_END = (each_text_is_one_attempt_s_and_closed, the_texts_that_stand_are_what_was_answered)


def a_reader_has_the_stream(reader: "StreamReader", stored: Sequence[str], *, ended: bool) -> str | None:
    """What it has is the beginning of the stream; who was told that it is over has all of it."""
    if tuple(reader.parts) != tuple(stored[: len(reader.parts)]):
        return f"a reader of {reader.job_id} has {reader.parts}; stored is {stored}"
    if reader.done and (not ended or len(reader.parts) != len(stored)):
        return f"a reader of {reader.job_id} was told that {len(reader.parts)} of {len(stored)} parts are all"
    return None


# When a running tool says something.


def what_a_live_attempt_streams_is_kept(shown: Sent) -> str | None:
    """Whoever holds the item is heard; only a repeat is dropped."""
    entry = (shown.claim.owner, shown.claim.item_key, shown.sequence)
    if shown.dropped and entry not in shown.world.received:
        return f"entry {shown.sequence} of {shown.claim.owner}, who holds {shown.claim.item_key}, is dropped"
    shown.world.received.add(entry)
    return None


ON_STREAMING = (what_a_live_attempt_streams_is_kept,)
