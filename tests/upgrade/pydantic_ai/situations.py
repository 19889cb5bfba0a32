"""Situations of a run of pydantic-ai: at each kind of its pieces, under one version of pydantic-ai."""

from tests.upgrade.maker import Maker, simply

RUNS = {
    "run_asks_its_model": simply(
        "The second request to the model is in flight; the first one's calls have results.",
        "trips",
        up_to="loop",
        after=1,
    ),
    "run_call_claimed": simply(
        "One of two calls at once is over; the other one has run, and died before its result was recorded.",
        "trips",
        up_to="call",
        after=1,
        dies="before commit",
    ),
    "run_retries": simply(
        "A tool has asked for another try, of which the model is to be told.", "trips", up_to="loop", after=2
    ),
}


async def run_waits_for_approval(m: Maker) -> None:
    """A call waits for a person, who will change its arguments."""
    (path,) = await m.asked("trips")
    m.later("POST", path, {"arguments": {"euros": 110}}, key="admin")


async def run_corrects_its_output(m: Maker) -> None:
    """The output does not fit, of which the model is to be told."""
    (path,) = await m.asked("trips")
    await m.request("POST", path, {}, key="admin")
    await m.up_to("loop", after=1)
