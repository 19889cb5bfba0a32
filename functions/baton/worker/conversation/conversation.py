"""A job's conversation in turns: the task, the newest summary, the turns after it, and the size of all of it.

A token counts as four bytes of JSON, rounded up: near for English, too few tokens for code, CJK and base64. So the
newest turn that has both counts corrects the estimate. Invariant: pure, and a turn is whole: the model's text with its
calls, their results, and all entries up to the next answer. Entries of unknown roles keep their places. Must not:
change stored records.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from baton.engine.commit.answers import History
from baton.sdk.models.model import ToolSpec
from baton_events.ids import canonical_json

Entry = Mapping[str, Any]


def size_bytes(value: Any) -> int:
    """Return the value's size as compact JSON, in bytes."""
    return len(canonical_json(value).encode("utf-8", "surrogatepass"))


class Turn(Struct, frozen=True):
    """One turn: its number, its entries, and the stored results of its calls."""

    number: int
    entries: tuple[dict[str, Any], ...]
    results: dict[str, dict[str, Any]]

    @property
    def size_bytes(self) -> int:
        """The size of everything in it that may be sent."""
        return sum(size_bytes(_tellable(entry)) for entry in self.entries) + self.results_bytes

    @property
    def results_bytes(self) -> int:
        return sum(size_bytes(result) for result in self.results.values())

    @property
    def lasting(self) -> tuple[dict[str, Any], ...]:
        """The entries that are sent even if the turn is not: the user's messages."""
        return tuple(entry for entry in self.entries if entry["role"] == "user")


class Conversation(Struct, frozen=True):
    """The whole conversation: `head` is the task and the entries recorded with it; `turns` follow the summary.

    `left_out`: the number of turns left out; only this number is sent.
    """

    head: tuple[dict[str, Any], ...]
    turns: tuple[Turn, ...]
    summary: dict[str, Any] | None = None
    left_out: int = 0

    @property
    def size_bytes(self) -> int:
        return self.head_bytes + sum(turn.size_bytes for turn in self.turns)

    @property
    def head_bytes(self) -> int:
        """The size of everything sent before the turns."""
        return sum(size_bytes(_tellable(entry)) for entry in self._before_turns())

    def without(self, turns: Sequence[Turn]) -> "Conversation":
        """Remove the oldest turns, which are these."""
        lasting = tuple(entry for turn in turns for entry in turn.lasting)
        return replace(self, head=(*self.head, *lasting), turns=self.turns[len(turns) :])

    def history(self) -> History:
        """Return the history to send, in its stored form."""
        entries = [*self._before_turns(), *(entry for turn in self.turns for entry in turn.entries)]
        results = {call_id: result for turn in self.turns for call_id, result in turn.results.items()}
        return History(tuple(entries), results)

    def _before_turns(self) -> tuple[dict[str, Any], ...]:
        summary = (self.summary,) if self.summary else ()
        left_out = ({"role": "omitted", "turns": self.left_out},) if self.left_out else ()
        return (*self.head, *summary, *left_out)


def conversation_of(history: History) -> Conversation:
    """Read the stored history; turns that the newest summary covers are left out."""
    entries = [entry for entry in history.transcript if entry["role"] != "summary"]
    summaries = [entry for entry in history.transcript if entry["role"] == "summary"]
    starts = [index for index, entry in enumerate(entries) if entry["role"] == "model"]
    ends = [*starts, len(entries)]
    turns = tuple(_turn(entries[start:end], history) for start, end in pairwise(ends))
    whole = Conversation(tuple(entries[: ends[0]]), turns)
    return summarized(whole, max(summaries, key=_up_to)) if summaries else whole


def summarized(conversation: Conversation, summary: dict[str, Any]) -> Conversation:
    """Replace the turns that this summary covers, and the summary before it, by this summary."""
    covered = [turn for turn in conversation.turns if turn.number <= _up_to(summary)]
    return replace(conversation.without(covered), summary=summary)


def compacted(history: History, up_to: int) -> tuple[int, int] | None:
    """Return the range of the turns up to this one in the whole transcript; None if other entries stand among them.

    Nor may other entries stand between the turns that are left out already and these turns: a job that was retried from
    its start may have recalled memory anew there.
    """
    roles = [entry["role"] for entry in history.transcript]
    begin = roles.index("model")
    later = (i for i, entry in enumerate(history.transcript) if entry["role"] == "model" and entry["turn"] > up_to)
    end = next(later, len(roles))
    begins_at = history.compacted[0] or begin
    if not {"model", "summary"}.issuperset(roles[min(begins_at, begin) : end]):
        return None
    return begin, end + history.compacted[1] - history.compacted[0]


def _tellable(entry: Entry) -> Entry:
    return {name: value for name, value in entry.items() if name not in ("requestDigests", "usage", "sentFrom")}


def _turn(entries: Sequence[dict[str, Any]], history: History) -> Turn:
    ids = [call["id"] for call in entries[0]["calls"]]
    results = {call_id: history.results[call_id] for call_id in ids if call_id in history.results}
    return Turn(int(entries[0]["turn"]), tuple(entries), results)


def _up_to(summary: Entry) -> int:
    return int(summary["upTo"])


def sent_from(history: History) -> tuple[int, int]:
    """Return the first turn that was sent last, and the first one of whose files all were; 0: all of them.

    What is left out once stays so, whatever room there is later: providers keep the beginning of a conversation.
    """
    noted = [entry["sentFrom"] for entry in history.transcript if "sentFrom" in entry]
    return max((one[0] for one in noted), default=0), max((one[1] for one in noted), default=0)


BYTES_PER_TOKEN = 4
# A provider may count tokens that were not sent here (its own tools, images): this bounds the correction.
_LEAST_RATIO, _MOST_RATIO = 0.5, 4.0


def tokens_of(size: int) -> int:
    """Convert bytes to estimated tokens."""
    return -(-size // BYTES_PER_TOKEN)


def fixed_bytes(instructions: str, tools: tuple[ToolSpec, ...]) -> int:
    """Return the size of everything sent in each turn besides the conversation, in bytes."""
    prompt: list[Any] = [[tool.name, tool.description, tool.parameters] for tool in tools]
    return size_bytes([instructions, prompt])


def correction(history: History) -> float:
    """Return the actual tokens per estimated token; 1 while unknown."""
    for entry in reversed(history.transcript):
        noted = entry.get("tokens") or {}
        if noted.get("estimated") and noted.get("input"):
            return min(_MOST_RATIO, max(_LEAST_RATIO, int(noted["input"]) / int(noted["estimated"])))
    return 1.0


def capacity_bytes(max_tokens: int, history: History, fixed: int) -> int:
    """Return the size that the conversation may have, in bytes."""
    return max(0, int(max_tokens * BYTES_PER_TOKEN / correction(history)) - fixed)
