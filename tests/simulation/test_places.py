"""A host that runs only so many functions at once: what it refuses comes later, and no job fails of it."""

from contextlib import closing

from baton.engine.transitions import JobStatus
from baton.testing.virtual_loop import VirtualLoop
from tests.simulation.directed import calls_through_few_places
from tests.simulation.play import play


def test_calls_through_three_places_all_end_late() -> None:
    """No budget is spent on what found no place, and no message is lost with it."""
    with closing(VirtualLoop()) as loop:
        world = play(calls_through_few_places(jobs=4, calls=40), loop)
        assert world.violation is None, world.violation
        jobs = [job for tree in world.trees.values() for job in tree.jobs.values()]
        assert [job.status for job in jobs] == [JobStatus.COMPLETED] * 4
        assert world.delivery.places.refused > 200
        world.close()
