"""Sampled stacks of a process, summed up by where the time was spent: self time by library, and by function.

Reads what `py-spy record --format raw` writes: a line a stack, `outer (file:line);inner (file:line) count`.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_FRAME = re.compile(r"^(?P<name>.*) \((?P<file>[^()]*?)(?::\d+)?\)$")
# The first that fits the file of a frame is its group.
GROUPS = (
    ("httpx", ("/httpx/",)),
    ("httpcore, h11, anyio", ("/httpcore/", "/h11/", "/anyio/", "/sniffio/")),
    ("upstash_redis", ("/upstash_redis/",)),
    ("qstash", ("/qstash/",)),
    ("JWT, hmac", ("/jwt/", "hmac.py")),
    ("pydantic", ("/pydantic/",)),
    ("JSON", ("/json/",)),
    ("starlette, uvicorn", ("/starlette/", "/uvicorn/")),
    ("asyncio, loop", ("/asyncio/", "/uvloop/", "/selectors.py")),
    ("dataclasses, contextlib", ("/dataclasses.py", "<string>", "/contextlib.py")),
    ("logging", ("/logging/", "functions/baton/observability/logs", "functions/baton/worker/runtime/observing")),
    ("own: bench agent", ("tests/bench/",)),
    ("own: engine", ("functions/baton/engine/",)),
    ("own: adapters", ("functions/baton/store/", "functions/baton/queue/qstash/", "functions/baton/store/transport/")),
    ("own: events", ("events/baton_events/",)),
    (
        "own: pipeline",
        (
            "functions/baton/worker/runtime/pipeline",
            "functions/baton/queue/dispatch",
            "functions/baton/worker/runtime/webhook",
            "functions/baton/worker/commands/commands",
        ),
    ),
    (
        "own: agents, models, tools",
        ("functions/baton/sdk/agents/", "functions/baton/sdk/models/", "functions/baton/sdk/tools/"),
    ),
    ("own: api", ("functions/baton/server/api/",)),
    ("own: the rest", ("functions/baton/", "infra/baton_local/")),
)
OTHER = "other"


@dataclass(frozen=True, slots=True)
class Frame:
    name: str
    file: str

    @property
    def group(self) -> str:
        return next((name for name, parts in GROUPS if any(part in self.file for part in parts)), OTHER)

    @property
    def place(self) -> str:
        """The function with the end of its file's path."""
        return f"{'/'.join(self.file.split('/')[-2:])}:{self.name}"


@dataclass(frozen=True, slots=True)
class Sampled:
    """Samples by group and by function; `below` counts a function with all that it calls."""

    total: int
    groups: Counter[str]
    places: Counter[str]
    below: Counter[str]


def _stacks(lines: Iterable[str]) -> Iterator[tuple[list[Frame], int]]:
    for line in lines:
        text, _, count = line.rstrip().rpartition(" ")
        frames = [_FRAME.match(part) for part in text.split(";")]
        found = [Frame(frame["name"], frame["file"]) for frame in frames if frame]
        if found:
            yield found, int(count)


def sampled(lines: Iterable[str]) -> Sampled:
    groups, places, below, total = Counter[str](), Counter[str](), Counter[str](), 0
    for frames, count in _stacks(lines):
        total += count
        groups[frames[-1].group] += count
        places[frames[-1].place] += count
        for place in {frame.place for frame in frames}:
            below[place] += count
    return Sampled(total, groups, places, below)
