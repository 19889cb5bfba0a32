"""A model that answers from a script: for tests, and for jobs whose steps are known beforehand.

Invariant: entry i of the script answers turn i, whatever happened before, so a repeated turn gets the same answer. Its
text is streamed word by word, and the pieces together are the text. Must not: keep a position of its own (turns of one
job may run in different processes) or look at the history.
"""

import asyncio
import re
from collections.abc import Sequence

from baton.sdk.models.model import Call, Listener, ModelAnswer, ModelError, ModelRequest
from baton_events.values.durations import Duration, seconds_of

_WORDS = r"\s*\S+\s*"


async def stream_text(listener: Listener, text: str, pause_seconds: float = 0.0) -> None:
    """Write the text, with a pause behind each word."""
    for piece in re.findall(_WORDS, text) or [text]:
        await listener.write(piece)
        if pause_seconds:
            await asyncio.sleep(pause_seconds)


ScriptEntry = Sequence[Call] | str | ModelAnswer | Exception
_Entry = ModelAnswer | Exception


class ScriptedModel:
    """A model with given answers: `ScriptedModel([[Call("read_file", {"path": "a.txt"})], "done"])`.

    Args:
        script: an entry for each turn: a list of calls (made in parallel), a text (the final answer), a whole
            `ModelAnswer`, or an exception instance, which is raised in that turn.
        pause_seconds: with it texts are streamed one word at a time, with that pause after each.
    """

    name = "scripted"
    reads_history = False

    def __init__(self, script: Sequence[ScriptEntry], *, pause_seconds: Duration = 0.0) -> None:
        if isinstance(script, str | Call | ModelAnswer) or not isinstance(script, Sequence):
            raise TypeError(f"a script is a list with one entry per turn, got {script!r}; put it into a list: [...]")
        if not script:
            raise ValueError("the script is empty; give at least the final answer, as in ScriptedModel(['done'])")
        self._script = tuple(_read_entry(turn, entry) for turn, entry in enumerate(script, start=1))
        _refuse_unreachable(self._script)
        self._pause_seconds = seconds_of(pause_seconds, "ScriptedModel(...): pause_seconds")

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        if not 1 <= request.turn <= len(self._script):
            raise ModelError(
                f"the script has {len(self._script)} entries and no answer for turn {request.turn};"
                " add one, or end the script with a text, which is the final answer",
                retryable=False,
            )
        entry = self._script[request.turn - 1]
        if isinstance(entry, Exception):
            raise entry
        if self._pause_seconds and request.listener is not None:
            await stream_text(request.listener, entry.text, self._pause_seconds)
        return entry


def _read_entry(turn: int, entry: object) -> _Entry:
    if isinstance(entry, ModelAnswer | Exception):
        return entry
    if isinstance(entry, str):
        return ModelAnswer(text=entry)
    if isinstance(entry, list | tuple) and entry and all(isinstance(call, Call) for call in entry):
        return ModelAnswer(calls=tuple(entry))
    hint = (
        "put a single call into a list: [Call(...)]" if isinstance(entry, Call) else "see ScriptedModel's description"
    )
    raise TypeError(
        f"entry {turn} of the script must be a non-empty list of Call, a text, a ModelAnswer or an exception instance,"
        f" got {entry!r}; {hint}"
    )


def _refuse_unreachable(script: tuple[_Entry, ...]) -> None:
    """Refuse entries behind a final answer: it ends the job, so they are a mistake in the script."""
    for turn, entry in enumerate(script[:-1], start=1):
        if isinstance(entry, ModelAnswer) and not entry.calls:
            raise ValueError(
                f"entry {turn} of the script ({entry.text!r}) is a final answer, so entry {turn + 1} is never reached;"
                " make the final answer the last entry"
            )
