"""A situation as it is kept: what was stored and in flight, what people did then, and how everything ended.

Invariant: a file is made by the version whose folder it is in, and never changed once that version is released.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.upgrade.in_flight import Message
from tests.upgrade.installation import Request
from tests.upgrade.stored import Keys, shown, written

CORPUS = Path(__file__).parent / "corpus"
CORPUS_OF_PYDANTIC_AI = Path(__file__).parent / "pydantic_ai" / "corpus"  # a folder for each version of that
_LINE_DEPTH = 4


@dataclass(frozen=True, slots=True)
class Saved:
    """One situation.

    Attributes:
        about: in a line, what it is.
        now_ms: when it was saved.
        keys: all that was stored.
        messages: what was in flight.
        then: what people asked once that was delivered.
        ends: by job, how it ended, as the API says it.
        ran: the tools that ran from then on, each with its arguments and key, in their order of text.
    """

    about: str
    now_ms: int
    keys: Keys
    messages: tuple[Message, ...]
    then: tuple[Request, ...]
    ends: dict[str, Any] = field(default_factory=dict[str, Any])
    ran: list[list[Any]] = field(default_factory=list[list[Any]])

    @property
    def job_ids(self) -> list[str]:
        fields = (name for key, value in self.keys.items() if key.endswith(":state") for name in value["value"])
        return sorted(name.removeprefix("job:") for name in fields if name.startswith("job:"))

    def text(self) -> str:
        values = asdict(self)
        values["messages"] = [{**asdict(message), "body": shown(message.body)} for message in self.messages]
        return _lines(values, _LINE_DEPTH) + "\n"


def _lines(value: Any, depth: int, indent: str = "") -> str:
    """JSON with a line for each value down to this depth: one for each record."""
    if not depth or not value or not isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False)
    inner = indent + " "
    if isinstance(value, dict):
        rows = [f"{inner}{json.dumps(name)}: {_lines(one, depth - 1, inner)}" for name, one in value.items()]
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
    return "[\n" + ",\n".join(f"{inner}{_lines(one, depth - 1, inner)}" for one in value) + f"\n{indent}]"


def read(path: Path) -> Saved:
    values = json.loads(path.read_text())
    messages = tuple(Message(**{**each, "body": written(each["body"])}) for each in values["messages"])
    then = tuple(Request(**each) for each in values["then"])
    return Saved(**{**values, "messages": messages, "then": then})


def versions(corpus: Path = CORPUS) -> list[str]:
    return sorted((path.name for path in corpus.iterdir() if path.is_dir()), key=_numbers)


def situations(version: str, corpus: Path = CORPUS) -> list[Path]:
    return sorted((corpus / version).glob("*.json"))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
