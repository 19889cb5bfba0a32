"""A text that is there at once, said word by word: for models without a provider.

Invariant: the pieces together are the text.
"""

import asyncio
import re

from baton.models.model import Listener

_WORDS = re.compile(r"\s*\S+\s*")


async def say(listener: Listener, text: str, pause_seconds: float = 0.0) -> None:
    """Say the text, with a pause behind each word."""
    for word in _WORDS.findall(text) or [text]:
        await listener.said(word)
        if pause_seconds:
            await asyncio.sleep(pause_seconds)
