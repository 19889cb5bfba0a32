"""Texts at the border of the store: sealed where they are kept, in clear above it. It is the one place for trees.

Invariant: conditions compare texts as they were read (`Opened.kept`), never what was sealed anew: the same text is
sealed differently each time.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from typing import TypeVar

from baton.engine.commit.usage_ledger import ends_event
from baton.engine.state import Job
from baton_events.errors import UnreadablePayloadError
from baton_events.ids import root_of, sorted_json
from baton_events.sealing import SEALED, Kind, PayloadContext, Sealing

# The texts of a part that ends an event by a failure, and the field that stands for them. Without one its outcome is of
# Baton's own words.
_OF_EVENT, _SEALED = ("failure", "outcome"), "sealed"
_FAILURE = '"failure":{'
_MARK = f'"{_SEALED}":"{SEALED}'
# A part that has a large result is kept as what stands around its value, and the result as its call has it.
_OK, _BESIDE, _LARGE_CHARS = '{"ok":', ",", 2_000
_Text = TypeVar("_Text", str, str | None)


class Opened(str):
    """A text in clear; `kept`: as the store has it."""

    __slots__ = ("kept",)
    kept: str


def kept_form(text: _Text) -> _Text:
    return text.kept if isinstance(text, Opened) else text


def _value_in(result: str) -> str:
    """Return the JSON text of a result's value, as a part has it, if it has nothing else."""
    return result[len(_OK) : -1]


class TreeTexts:
    """The texts of one tree. `jobs`: of it, whose tenant is that of new texts."""

    def __init__(self, sealing: Sealing, job_id: str, jobs: Collection[Job] = ()) -> None:
        self._sealing, self._root_id, self._jobs = sealing, root_of(job_id), jobs
        self._places: dict[Kind, PayloadContext] = {}
        self.seals = bool(sealing.first)
        self.unreadable: dict[str, None] = {}  # the keys of what could not be opened

    def seal(self, text: str, kind: Kind = "text") -> str:
        """Return a text as it is kept; an empty one says that there is none, and stays empty."""
        if not (text and self.seals):
            return text
        place = self._places.get(kind)
        if place is None:
            tenant = next((job.tenant for job in self._jobs), "")
            place = PayloadContext(tenant, kind, self._root_id)
            if tenant:
                self._places[kind] = place
        return self._sealing.seal(text, place)

    def unsealed(self, text: str, kind: Kind = "text") -> str:
        """Return the text that is kept so. Raises UnreadablePayloadError."""
        try:
            return self._sealing.open(text, kind, self._root_id)
        except UnreadablePayloadError as error:
            self.unreadable[error.key_id] = None
            raise

    def with_events_sealed(self, parts: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        """Return the parts of each job; of those that end an event a failure is sealed, as a bill is added to them."""
        sealed = self._event_end
        return {
            job_id: tuple([sealed(part) if _FAILURE in part else part for part in known])
            for job_id, known in parts.items()
        }

    def _event_end(self, part: str) -> str:
        if not ends_event(part) or _MARK in part:
            return part
        read = json.loads(part)
        texts = {name: read["data"].pop(name) for name in _OF_EVENT if name in read["data"]}
        return sorted_json(read | {"data": {**read["data"], _SEALED: self.seal(sorted_json(texts))}})

    def sealed_part(self, part: str, results: Iterable[str | None]) -> str:
        """Return a part of a stream as it is kept; of a large one of these results, the result as it is kept anyway."""
        for result in results if len(part) >= _LARGE_CHARS else ():
            if isinstance(result, Opened) and len(result) >= _LARGE_CHARS:
                before, value, after = part.partition(_value_in(result))
                if value:
                    return f"{self.seal(f'{len(before)}:{before}{after}')}{_BESIDE}{result.kept}"
        return self.seal(part)

    def part(self, text: str) -> str:
        """Return a part of a stream that is kept so. Raises UnreadablePayloadError."""
        text, _, result = text.partition(_BESIDE) if text.startswith(SEALED) else (text, "", "")
        text = self.unsealed(text)
        if result:
            at, _, around = text.partition(":")
            text = around[: int(at)] + _value_in(self.unsealed(result)) + around[int(at) :]
        if not (_MARK in text and ends_event(text)):
            return text
        read = json.loads(text)
        read["data"] |= json.loads(self.unsealed(read["data"].pop(_SEALED)))
        return sorted_json(read)

    def open_each(self, texts: Iterable[str]) -> list[str]:
        """Return the texts that are kept so. Raises UnreadablePayloadError."""
        return [self.unsealed(text) for text in texts]

    def readable(self, texts: Iterable[str]) -> list[str]:
        """Return those of these texts that can be opened."""
        return [text for text in map(self.opened, texts) if not text.startswith(SEALED)]

    def sealed(self, text: str) -> str:
        """Return a text that is to be kept, which knows how."""
        return self._with(text, self.seal(text))

    def opened(self, text: str) -> str:
        """Return the text that is kept so, which knows that; where it cannot be opened, it stays as it is."""
        try:
            return self._with(self.unsealed(text), text)
        except UnreadablePayloadError:
            return text

    def _with(self, text: str, kept: str) -> str:
        if text is kept:
            return text
        opened = Opened(text)
        opened.kept = kept
        return opened
