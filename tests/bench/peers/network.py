"""Jobs one at a time, of five calls in a row, whose state lives a round trip away from what runs their steps."""

from typing import Any

from tests.bench.peers.cells import Size, cell
from tests.bench.peers.peer import Peer

JOBS = 5


async def network(make: type[Peer], round_trip_ms: float) -> dict[str, Any]:
    peer = make()
    peer.round_trip_ms = round_trip_ms
    try:
        await peer.setup()
        await peer.start_worker()
        found = await cell(peer, "seq", 1, Size(0.0, JOBS))
    finally:
        await peer.close()
    names = ("peer", "p50_ms", "job_p50_ms")
    return {"test": "network", "round_trip_ms": round_trip_ms, **{name: found[name] for name in names}}
