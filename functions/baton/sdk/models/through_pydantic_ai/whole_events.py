"""Events of a stream that say whole what belongs in pieces: servers say it once only, and the library reads the pieces.

Some send the output of OpenAI's Responses in `response.completed` or in `output_item.done` alone, and some a whole
`message` in a chunk of Chat Completions. Must not: say again what has come in pieces.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any

_LAST = frozenset({"response.completed", "response.incomplete"})
_CALL, _ITEMS = "function_call", frozenset({"message", "function_call", "reasoning"})
_TEXTS = ("response.output_text.delta", "response.refusal.delta", "response.refusal.done")


class WholeEvents:
    """Stands before the events of a stream of OpenAI's library. `stream`: which reads them."""

    def __init__(self, stream: Any) -> None:
        self._events, self._seen = stream._response, set[str]()  # noqa: SLF001 - what the library reads
        self._next = deque[Any]()
        self._read = self._with_items if hasattr(stream, "_last_sequence_number") else _with_deltas
        stream._response = self  # noqa: SLF001 - as above

    def __getattr__(self, name: str) -> Any:
        return getattr(self._events, name)

    def __aiter__(self) -> "WholeEvents":
        return self

    async def __anext__(self) -> Any:
        """Pass the events on, each behind the pieces that it has in itself."""
        while not self._next:
            self._next.extend(self._read(await anext(self._events)))
        return self._next.popleft()

    def _with_items(self, event: Any) -> Iterator[Any]:
        kind, item = getattr(event, "type", ""), getattr(event, "item", None)
        if kind in _LAST:
            output = list(enumerate(getattr(event.response, "output", None) or ()))
            new = _ITEMS - self._seen
            for at, one in output:
                if _type(one) in new:
                    yield from self._pieces_of(at, one, event)
                if _type(one) in new or (
                    _type(one) == _CALL and self._seen & _names(None, one)
                ):  # else without arguments
                    yield _event("OutputItemDone", event, output_index=at, item=one)
        elif kind == "response.output_item.done" and self._seen.isdisjoint(_names(event, item)):
            yield from self._pieces_of(getattr(event, "output_index", 0), item, event)
        elif _type(item) != "message":  # which has no text yet where it begins
            self._seen |= _names(event, item) | {"message" if kind in _TEXTS else _type(item)}
        yield event

    def _pieces_of(self, at: int, item: Any, event: Any) -> Iterator[Any]:
        self._seen |= _names(event, item) | {_type(item)}
        if _type(item) == _CALL:
            yield _event("OutputItemAdded", event, output_index=at, item=item)
        for place, part in enumerate(getattr(item, "content", None) or () if _type(item) == "message" else ()):
            ids = {"item_id": item.id, "output_index": at, "content_index": place}
            if _type(part) == "output_text":
                yield _event("TextDelta", event, **ids, delta=part.text)
            elif _type(part) == "refusal":
                yield _event("RefusalDone", event, **ids, refusal=part.refusal)


def _with_deltas(chunk: Any) -> Iterator[Any]:
    from openai.types.chat.chat_completion_chunk import ChoiceDelta  # noqa: PLC0415 - of an extra

    for choice in getattr(chunk, "choices", None) or ():
        message = getattr(choice, "message", None)
        if isinstance(message, dict) and getattr(choice, "delta", None) is None:
            calls = [{"index": at, **call} for at, call in enumerate(message.get("tool_calls") or ())]
            kind: Any = ChoiceDelta
            choice.delta = kind.construct(**message | {"tool_calls": calls})
    yield chunk


def _event(name: str, after: Any, **fields: Any) -> Any:
    from openai.types import responses  # noqa: PLC0415 - as above

    kind = getattr(responses, f"Response{name}Event")
    return kind.construct(sequence_number=after.sequence_number, **fields)


def _type(thing: Any) -> str:
    return str(getattr(thing, "type", ""))


def _names(event: Any, item: Any) -> set[str]:
    """Return what an event calls the item that it is about: its place, and its id."""
    names = {"at": getattr(event, "output_index", None), "id": getattr(event, "item_id", getattr(item, "id", None))}
    return {f"{name} {value}" for name, value in names.items() if value is not None}
