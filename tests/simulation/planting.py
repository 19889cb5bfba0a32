"""A planted defect: a few names of the product (or of a fake, which says what a script does) mean something else.

Invariant: what is planted is taken out again; no file is changed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from baton.engine.commit import operations


@dataclass(frozen=True, slots=True)
class Patch:
    """`owner.attribute` becomes what `make` makes of it."""

    owner: Any
    attribute: str
    make: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Defect:
    """What is wrong, in a few words, the invariant that speaks of it and must catch it, and how it comes about.

    `waits`: it is looked for in worlds whose jobs also wait; `plans`: in such in which most of them plan;
    `streams`: in such whose texts are streamed; `approvals`: in such whose jobs ask people;
    `sessions`: in such whose jobs share one; `returns`: in such in which somebody comes back to most jobs;
    `deploys`: in such in which two versions run side by side; `cuts`: in such whose queue loses connections;
    `limits`: in such whose hosted parts have limits; `away`: in such whose store or queue is away for long;
    `kills`: in such in which work kills its process; `crowded`: in such whose host has few places;
    `blocking`: in such with tools that block. `full`: in such whose tenants may store few bytes;
    `crons`: in such whose jobs a schedule starts; `events`: in such whose jobs app events start;
    `steers`: in such in which more is said to running jobs; `background`: in such whose calls go on in the background.
    `people`: in such in which two people must approve; `offloads`: in such whose models the queue asks;
    `again`: in such whose calls run several times; `front_ends`: in such whose streams AG-UI's front ends read;
    `shares`: in such whose calls share limits.
    """

    name: str
    invariant: str
    patches: tuple[Patch, ...]
    waits: bool = False
    plans: bool = False
    streams: bool = False
    approvals: bool = False
    sessions: bool = False
    returns: bool = False
    deploys: bool = False
    cuts: bool = False
    limits: bool = False
    away: bool = False
    kills: bool = False
    crowded: bool = False
    blocking: bool = False
    full: bool = False
    crons: bool = False
    steers: bool = False
    events: bool = False
    background: bool = False
    people: bool = False
    offloads: bool = False
    again: bool = False
    front_ends: bool = False
    shares: bool = False


def in_waiting_worlds(name: str, invariant: str, *patches: Patch) -> Defect:
    """A defect that is looked for in worlds whose jobs also wait."""
    return Defect(name, invariant, patches, waits=True)


@contextmanager
def planted(defect: Defect) -> Iterator[None]:
    """While this lasts, the product has the defect."""
    originals = [(patch, getattr(patch.owner, patch.attribute)) for patch in defect.patches]
    try:
        for patch, original in originals:
            setattr(patch.owner, patch.attribute, patch.make(original))
        yield
    finally:
        for patch, original in reversed(originals):
            setattr(patch.owner, patch.attribute, original)


def replaced(owner: Any, attribute: str, value: Any) -> Patch:
    """`owner.attribute` is `value`."""
    return Patch(owner, attribute, lambda _original: value)


def constant(owner: Any, attribute: str, answer: Any) -> Patch:
    """The function `owner.attribute` answers that, whatever it is asked."""
    return Patch(owner, attribute, lambda _original: lambda *_arguments, **_named: answer)


def idle(owner: Any, attribute: str, answer: Any = None) -> Patch:
    """The coroutine function `owner.attribute` does nothing."""

    async def nothing(*_arguments: Any, **_named: Any) -> Any:
        return answer

    return replaced(owner, attribute, nothing)


def answering(owner: Any, attribute: str, change: Callable[..., Any]) -> Patch:
    """The coroutine function's answer goes through `change(answer, *arguments)`."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        async def changed(*arguments: Any, **named: Any) -> Any:
            return change(await original(*arguments, **named), *arguments)

        return changed

    return Patch(owner, attribute, make)


def answering_step(name: str, change: Callable[..., Any]) -> Patch:
    """The answer of this step of the engine goes through `change(answer, tree, *arguments)`; what it writes stays."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def changed(tree: Any, *arguments: Any, **named: Any) -> Any:
            after, answer = original(tree, *arguments, **named)
            return after, change(answer, tree, *arguments)

        return changed

    return Patch(operations, name, make)
