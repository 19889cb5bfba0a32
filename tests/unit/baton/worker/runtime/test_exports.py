"""Exports of one delivery: at once, each span once, and no longer than one export at the end."""

import asyncio
from collections.abc import Sequence

from baton.observability.spans import Place, Span
from baton.worker.runtime.observing import Exports


class Slow:
    """A tracer that takes spans when it may."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.exported = list[list[str]]()
        self.at_once = self.most_at_once = 0

    def samples(self, trace_id: str, caller: Place | None) -> bool:
        return bool(trace_id or caller)

    async def export(self, spans: Sequence[Span]) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await self.may.wait()
        self.at_once -= 1
        self.exported.append([span.name for span in spans])


def span(name: str) -> Span:
    return Span(name, "a" * 32, "b" * 16, "", 0, 0)


async def test_what_comes_during_an_export_goes_with_the_next_one() -> None:
    tracer = Slow()
    exports = Exports(tracer)
    for name in ("one", "two", "three"):
        exports.export_soon([span(name)])
        await asyncio.sleep(0)
    tracer.may.set()
    await asyncio.sleep(0.01)
    assert (tracer.exported, tracer.most_at_once) == ([["one"], ["two", "three"]], 1)
    exports.export_soon([span("four")])
    await exports.all_exported()
    assert tracer.exported[2:] == [["four"]]


async def test_the_last_spans_do_not_wait_for_those_that_hang() -> None:
    tracer = Slow()
    exports = Exports(tracer)
    exports.export_soon([span("one")])
    await asyncio.sleep(0)
    exports.export_soon([span("two")])
    ending = asyncio.create_task(exports.all_exported())
    await asyncio.sleep(0.01)
    assert tracer.at_once == 2
    assert not ending.done()
    tracer.may.set()
    await ending
    assert sorted(tracer.exported) == [["one"], ["two"]]


async def test_nothing_is_exported_where_there_is_nothing() -> None:
    await Exports(Slow()).all_exported()
