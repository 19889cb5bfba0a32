"""A planted defect: a few names of the product mean something else, or a part of one of its scripts reads otherwise.

Invariant: what is planted is taken out again; no file is changed.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from baton.engine.commit import operations
from baton.engine.commit.draft import Draft
from baton.store import redis as adapters
from baton.store.redis.in_process.server import InProcessRedis
from tests.contract.store.planted import SEMAPHORE
from tests.contract.store.planted_members import MEMBERS

_SCRIPTS = tuple(Path(str(adapters.__file__)).with_name("lua").glob("*.lua"))


@dataclass(frozen=True, slots=True)
class Patch:
    """`owner.attribute` becomes what `make` makes of it."""

    owner: Any
    attribute: str
    make: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Defect:
    """What is wrong, in a few words, the invariant that speaks of it and must catch it, and how it comes about.

    `seeds`: the first one of the worlds in which it is looked for (plan.py). `of_usual_steps`: it is about these alone.
    """

    name: str
    invariant: str
    patches: tuple[Patch, ...]
    seeds: int
    of_usual_steps: bool = False


PLANTED: list[Defect] = []


def steps_are_usual() -> bool:
    """Whether usual steps are made as such: under any other defect all steps are made the way that meets it."""
    return all(defect.of_usual_steps for defect in PLANTED)


def defects(
    seeds: int, *, of_usual_steps: bool = False, **invariants: Mapping[str, Patch | tuple[Patch, ...]]
) -> tuple[Defect, ...]:
    """Those that are looked for from these seeds on: of each invariant that must catch them, by their names."""
    return tuple(
        Defect(name, invariant, (patches,) if isinstance(patches, Patch) else patches, seeds, of_usual_steps)
        for invariant, named in invariants.items()
        for name, patches in named.items()
    )


@contextmanager
def planted(defect: Defect) -> Iterator[None]:
    originals = [(patch, getattr(patch.owner, patch.attribute)) for patch in defect.patches]
    PLANTED.append(defect)
    try:
        for patch, original in originals:
            setattr(patch.owner, patch.attribute, patch.make(original))
        yield
    finally:
        PLANTED.remove(defect)
        for patch, original in reversed(originals):
            setattr(patch.owner, patch.attribute, original)


def replaced(owner: Any, attribute: str, value: Any) -> Patch:
    return Patch(owner, attribute, lambda _original: value)


def constant(owner: Any, attribute: str, answer: Any) -> Patch:
    """The function `owner.attribute` answers that, whatever it is asked."""
    return Patch(owner, attribute, lambda _original: lambda *_arguments, **_named: answer)


def idle(owner: Any, attribute: str, answer: Any = None) -> Patch:
    async def nothing(*_arguments: Any, **_named: Any) -> Any:
        return answer

    return replaced(owner, attribute, nothing)


def around(owner: Any, attribute: str, instead: Callable[..., Any]) -> Patch:
    """`owner.attribute(*arguments)` becomes `instead(original, *arguments)`."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments, **named: instead(original, *arguments, **named)

    return Patch(owner, attribute, make)


def given(owner: Any, attribute: str, position: int, **fields: Any) -> Patch:
    """`owner.attribute` is given a record at this position that has other fields."""

    def changed(original: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        record: Any = arguments[position]
        other: Any = structs.replace if isinstance(record, Struct) else dataclasses.replace
        return original(*arguments[:position], other(record, **fields), *arguments[position + 1 :], **named)

    return around(owner, attribute, changed)


def in_script(*parts: tuple[str, str]) -> Patch:
    """In the script that has these parts, each of them becomes the other text beside it."""
    for old, _ in parts:
        assert any(old in path.read_text(encoding="utf-8") for path in _SCRIPTS), f"no script has {old!r}"

    @cache
    def changed(text: str) -> str:
        there = [text.count(old) for old, _ in parts]
        if not any(there):
            return text
        assert all(count == 1 for count in there), f"{parts} stand in the script {there} times"
        for old, new in parts:
            text = text.replace(old, new)
        return text

    return replaced(InProcessRedis, "script", lambda _self, text: changed(text))


def in_scripts(*names: str) -> dict[str, Patch]:
    """The defects of these names of the contract tests: so each is caught there and here."""
    found = {defect.name: in_script((defect.old, defect.new)) for defect in (*MEMBERS, *SEMAPHORE)}
    return {name: found[name] for name in names}


def answering_step(name: str, change: Callable[..., Any]) -> Patch:
    """The answer of this step of the engine goes through `change(answer, tree, *arguments)`; what it writes stays."""

    def changed(original: Callable[..., Any], draft: Draft, *arguments: Any, **named: Any) -> Any:
        before = draft.as_it_is()
        return change(original(draft, *arguments, **named), before, *arguments)

    return around(operations, name, changed)
