"""Sampled stacks are summed up by where the time was spent."""

from tests.bench.stacks import OTHER, sampled

STACKS = """
main (/app/run.py:1);post (/lib/site-packages/httpx/_client.py:10);send (/lib/site-packages/anyio/_core.py:5) 7
main (/app/run.py:1);handle (/baton/worker/runtime/pipeline.py:90);decide (/functions/baton/engine/decide.py:3) 2
main (/app/run.py:1) 1
"""


def test_time_is_that_of_the_innermost_function() -> None:
    found = sampled(STACKS.strip().splitlines())
    assert found.total == 10
    assert dict(found.groups) == {"httpcore, h11, anyio": 7, "own: engine": 2, OTHER: 1}
    assert found.places["anyio/_core.py:send"] == 7
    assert found.below["app/run.py:main"] == 10
    assert found.below["runtime/pipeline.py:handle"] == 2
