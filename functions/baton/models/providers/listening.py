"""A provider's answer while it comes: its text, piece by piece, as the whole answer will have it.

Must not: dispatch a model's thinking, or the arguments of its calls.
"""

from collections.abc import AsyncIterable

from pydantic_ai.messages import ModelResponseStreamEvent, PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta

from baton.models.model import Listener


async def listen(events: AsyncIterable[ModelResponseStreamEvent], listener: Listener) -> None:
    """Tell the listener the text, as `ModelResponse.text` joins it: texts with something in between, apart."""
    last_text: int | None = None
    async for event in events:
        match event:
            case PartStartEvent(index=index, part=TextPart(content=text)):
                if last_text is not None and index > last_text + 1:
                    text = f"\n\n{text}"
                last_text = index
            case PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
                pass
            case _:
                continue
        if text:
            await listener.said(text)
