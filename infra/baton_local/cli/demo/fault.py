"""`--fault kill`: the app killed with -9 in the middle of a job.

Invariant: the fault happens once, after a few events, to the process that runs at that moment. What is done about it
is nothing: the queue delivers again and the supervisor starts a new process, which is the point of the demo.
"""

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

# A killed process leaves its claim on a work item behind, which ends with the time limit of its work. The defaults (two
# minutes; queue retries after ten seconds) suit real models; with these the demo shows the same within seconds.
SETTINGS_WITH_FAULT: Mapping[str, str] = {"WORK_TIMEOUT_SECONDS": "1", "MESSAGE_RETRY_DELAY_MS": "1000"}


@dataclass
class KillApp:
    """Kills the app once."""

    app_pid: Callable[[], int | None]
    events_before: int
    _done: bool = field(default=False, init=False)

    def after_event(self, events_seen: int) -> int | None:
        """Kill when it is time; return the process id that was killed."""
        pid = self.app_pid()
        if self._done or events_seen < self.events_before or pid is None:
            return None
        self._done = True
        os.kill(pid, signal.SIGKILL)
        return pid
