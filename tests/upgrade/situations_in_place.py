"""Situations of the mode in which an invocation continues in place: it dies in the middle of its chain.

What it has claimed for itself in its last COMMIT is under claims of a process that is gone; one message carries it all.
"""

from tests.upgrade.maker import Maker


async def chain_died(m: Maker) -> None:
    """In the third turn of a chain, which its COMMIT before had claimed."""
    await m.submit("chain")
    await m.die("before commit", spares=4)


async def chain_not_handed_on(m: Maker) -> None:
    """After a COMMIT that has claimed the next turn."""
    await m.submit("chain")
    await m.die("after commit", spares=2)


async def calls_at_once_died(m: Maker) -> None:
    """Three calls ran at once when the process died: none of them is recorded."""
    await m.submit("adds")
    await m.die("before commit", spares=1)


async def calls_claimed_at_once(m: Maker) -> None:
    """A turn's COMMIT has claimed its three calls, and nothing has run yet."""
    await m.submit("adds")
    await m.die("after commit")


async def steps_in_place_died(m: Maker) -> None:
    """In the middle of a plan, one of whose steps had failed."""
    await m.submit("plan")
    await m.die("before commit", spares=3)


async def child_in_place_died(m: Maker) -> None:
    """A job below was started, and its caller's process died soon after."""
    await m.submit("supervises")
    await m.die("before commit", spares=4)


async def text_in_place_open(m: Maker) -> None:
    """In mid-text of a turn that was continued in place."""
    await m.submit("talks")
    await m.die("before commit", spares=2)


IN_PLACE = (
    chain_died,
    chain_not_handed_on,
    calls_at_once_died,
    calls_claimed_at_once,
    steps_in_place_died,
    child_in_place_died,
    text_in_place_open,
)
