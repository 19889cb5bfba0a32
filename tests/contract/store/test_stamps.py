"""What a stamp promises, whatever the order of requests: who compares one knows all writes that it stands for.

Each world has processes that read, append blindly, and compare and write; the network sends requests again; the
store loses its newest writes. A second script keeps four names instead of 10 or 25, so that names are often cut off.
"""

from collections.abc import Sequence
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from baton.engine.commit import patch as patches
from baton.engine.commit.patch import STAMP, Patch, Stamps, appended, compared, known_end
from tests.simulation.kept import Kept

_KEY, _LENGTHS = "tree", ("-160", "-400")
_Names = tuple[str, ...]
_Step = tuple[Literal["reads", "appends", "compares", "again", "forgets"], int]
_STEPS = st.sampled_from(("reads", "appends", "appends", "appends", "compares", "again", "forgets"))


class _Few(Kept):
    """Keeps four names."""

    def copy(self) -> "_Few":
        return _Few(self.values, self.expiring)

    def script(self) -> str:
        text = super().script()
        for each in _LENGTHS:
            assert text.count(each) == 1
            text = text.replace(each, "-64")
        return text


class _Process:
    """The names of all writes as this process knows them, and its stamp for them."""

    def __init__(self, number: int) -> None:
        self.stamps, self.known, self.stamp = Stamps(lambda: f"process-{number:03}"), _Names(), ""


class _Request(Struct, frozen=True):
    """A request as it may come again; `known`: the writes before it, where it compares them."""

    name: str
    patch: Patch
    known: _Names | None


class _Store:
    def __init__(self, kept: Kept) -> None:
        self.kept, self.written, self.versions = kept, _Names(), list[tuple[Kept, _Names]]()
        self.kept.values[_KEY] = {"one": "1", STAMP: compared("first")}

    @property
    def stamp(self) -> str:
        return self.kept.hash(_KEY)[STAMP]

    def takes(self, request: _Request) -> bool:
        """Whether it is written; nothing is that was decided on other writes."""
        self.versions.append((self.kept.copy(), self.written))
        if not self.kept.apply(*request.patch.request())[1]:
            return False
        assert request.known in (None, self.written)
        self.written = (*self.written, request.name)
        assert request.name in self.stamp
        return True


def _request(process: _Process, *, compares: bool) -> _Request:
    patch, name = Patch(1000), process.stamps.next()
    if compares:
        patch.ends(_KEY, STAMP, known_end(process.stamp))
    else:
        patch.equal(_KEY, {"one": "1"}, [STAMP])
    patch.write("HSET", _KEY, [STAMP, (compared if compares else appended)(name)], [(STAMP, 1)])
    patch.size_bytes()
    return _Request(name, patch, process.known if compares else None)


def _run(store: _Store, steps: Sequence[_Step]) -> None:
    processes, sent = [_Process(number) for number in range(3)], list[_Request]()
    for process in processes:
        process.stamp = store.stamp
    for kind, which in steps:
        process = processes[which % 3]
        if kind == "reads":
            process.known, process.stamp = store.written, store.stamp
        elif kind in ("appends", "compares"):
            sent.append(_request(process, compares=kind == "compares"))
            if store.takes(sent[-1]):
                process.known += (sent[-1].name,)
                process.stamp = known_end(process.stamp) + (compared if kind == "compares" else appended)(sent[-1].name)
            elif kind == "compares":  # after a read it holds
                process.known, process.stamp = store.written, store.stamp
                assert store.takes(_request(process, compares=True))
                process.known, process.stamp = store.written, store.stamp
        elif kind == "again" and sent:
            store.takes(sent[which % len(sent)])
        elif kind == "forgets" and store.versions:
            store.kept, store.written = store.versions[-1 - which % min(len(store.versions), 4)]
            store.kept = store.kept.copy()


_steps = st.lists(st.tuples(_STEPS, st.integers(0, 40)), max_size=80)


@given(_steps)
def test_who_compares_a_stamp_knows_all_writes(steps: list[_Step]) -> None:
    _run(_Store(Kept()), steps)


@given(_steps)
def test_who_compares_a_stamp_of_few_names_knows_all_writes(steps: list[_Step]) -> None:
    """Without requests that come again: four of them could repeat what the stamp has."""
    _run(_Store(_Few()), [step for step in steps if step[0] not in ("again", "forgets")])


_WHOLE: _Step = ("compares", 0)


@pytest.mark.parametrize(
    ("name", "defect", "steps"),
    [
        ("appended", compared, [("appends", 1), ("appends", 0), _WHOLE]),
        ("known_end", lambda stamp: stamp[-64:], [("appends", 1), *4 * [("appends", 0)], _WHOLE]),
    ],
    ids=["a blind write is taken for one that has compared", "a process forgets names that it has appended"],
)
def test_it_finds_these_defects(monkeypatch: pytest.MonkeyPatch, name: str, defect: object, steps: list[_Step]) -> None:
    assert hasattr(patches, name)
    _run(_Store(_Few()), steps)
    monkeypatch.setitem(globals(), name, defect)
    with pytest.raises(AssertionError):
        _run(_Store(_Few()), steps)
