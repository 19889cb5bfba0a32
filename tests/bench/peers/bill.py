"""What the processes of a row use: processor seconds by process, and memory. This process is the client."""

import contextlib
from dataclasses import dataclass

import psutil

from tests.bench.peers.peer import Peer

CLIENT = "client"


@dataclass(frozen=True, slots=True)
class Used:
    by_process: dict[int, tuple[str, float]]

    def since(self, earlier: "Used") -> dict[str, float]:
        totals: dict[str, float] = {}
        for number, (label, seconds) in self.by_process.items():
            before = earlier.by_process.get(number, (label, 0.0))[1]
            totals[label] = totals.get(label, 0.0) + seconds - before
        return totals


def used(peer: Peer) -> Used:
    """Read the processor time of this process and all below it."""
    own = psutil.Process()
    found: dict[int, tuple[str, float]] = {}
    for process in (own, *own.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            mine = process.pid == own.pid
            # Children that have ended are in their parent's time; not in ours, which is the client's.
            ended = 0.0 if mine else times.children_user + times.children_system
            found[process.pid] = (CLIENT if mine else peer.label_of(process), times.user + times.system + ended)
    return Used(found)


def memory_mb(peer: Peer) -> float:
    """Memory of all processes of the row; what they share is counted once."""
    own = psutil.Process()
    total = 0
    for process in (*((own,) if peer.in_process else ()), *own.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            total += process.memory_full_info().pss
    return total / 1e6
