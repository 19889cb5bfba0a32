"""What pydantic-ai does not tell of a stream of Chat Completions: its end marks, and its usage where each chunk has it.

It reads three private names of pydantic-ai and one of the library of OpenAI; a test holds them. Where one is gone, the
finish reason and the usage remain. Must not: change what the stream says.
"""

import json
from typing import Any

from pydantic_ai.models import StreamedResponse

# The fields of a delta that have nothing of the answer.
_NO_ANSWER = frozenset({"role"})


class ChatChunks:
    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._last, self._is_done = "", False
        # The usage in a chunk is that of the whole answer so far: without this setting it would be added up.
        stream._model_settings = {**(stream._model_settings or {}), "openai_continuous_usage_stats": True}  # noqa: SLF001
        self.is_watched = self._watch()

    @staticmethod
    def of(stream: StreamedResponse) -> "ChatChunks | None":
        """Return the chunks of the stream; None: it is in another format."""
        return ChatChunks(stream) if hasattr(stream, "_has_finish_reason") else None

    @property
    def have_end_mark(self) -> bool:
        """Whether the stream, which is over, has marked as whole."""
        if self._stream._has_finish_reason or self._is_done:  # noqa: SLF001
            return True
        return _is_usage_alone(self._last) if self.is_watched else not self._stream.usage.unmeasured_requests

    def _watch(self) -> bool:
        try:
            decoder = self._stream._response.source._decoder  # noqa: SLF001
            decode = decoder.decode
        except AttributeError:
            return False

        def watching(line: str) -> Any:
            event = decode(line)
            if event is not None and event.data.startswith("[DONE]"):
                self._is_done = True
            elif event is not None:
                self._last = event.data
            return event

        decoder.decode = watching
        return True


def _is_usage_alone(data: str) -> bool:
    """Return whether a chunk has the usage and nothing of the answer: it comes last."""
    try:
        chunk = json.loads(data)
        names = [
            name for choice in chunk.get("choices") or () for name, one in (choice.get("delta") or {}).items() if one
        ]
        return bool(chunk.get("usage")) and _NO_ANSWER.issuperset(names)
    except (ValueError, AttributeError, TypeError):
        return False
