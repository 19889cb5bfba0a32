"""What `baton demo` can show, and the fault of `--fault kill`: the app killed with -9 in the middle of a job.

Explicit lines: to add one, name an agent of a registry and tasks that show it well. Invariant: the fault happens once,
after a few events, to the process that runs at that moment. Nothing here repairs it: the queue delivers again and the
supervisor starts a new process, which is the point of the demo.
"""

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Task:
    """A job to submit; asks with the same `session` are one conversation, without one each is its own."""

    task: str
    session: str = ""
    data: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Scenario:
    """An agent's jobs, one after another.

    Attributes:
        about: in a line, what there is to see.
        fault_after_events: when `--fault` comes; early enough that the first job is in its middle.
        app: the registry that has the agent.
        needs: the extra that its agent needs.
    """

    job_type: str
    about: str
    tasks: tuple[Task, ...]
    fault_after_events: int = 4
    app: str = "baton.sdk.agents:registry"
    needs: str = ""


SCENARIOS = {
    "research": Scenario(
        "research",
        "answers a question from the sample library, with its sources",
        (Task("How did the Fresnel lens change lighthouses, and what was used before it?"),),
    ),
    "report": Scenario(
        "report",
        "follows a fixed plan without a model; steps run side by side",
        (Task("Report on the first two texts of the library."),),
    ),
    "planner": Scenario(
        "planner",
        "makes a plan, is corrected, carries it out, reflects on it",
        (Task("Report on what the library says about Fresnel."),),
        fault_after_events=5,
    ),
    "supervisor": Scenario(
        "supervisor",
        "shares a question between two agents, each a job of its own",
        (Task("Who was Grace Darling? How did the sun valve light lamps without keepers?"),),
    ),
    "assistant": Scenario(
        "assistant",
        "learns something, and knows it in later jobs and conversations",
        (
            Task("Remember that Ann Ward cleaned the lens on Gull Rock on 3 May.", "monday"),
            Task("Who cleaned the lens?", "monday"),
            Task("When was the lens on Gull Rock cleaned?", "tuesday"),
        ),
        fault_after_events=2,
    ),
    "simple-task": Scenario(
        "simple-task", "does a simple task, with a checkpoint that blocks nothing", (Task("Trim the wick."),), 2
    ),
    "code-generation": Scenario(
        "code-generation",
        "drafts a file, and writes it once somebody has approved it",
        (Task("Generate a greeting.", data={"files": [{"path": "hello.py", "content": 'print("hello")\n'}]}),),
    ),
    "data-processing": Scenario(
        "data-processing",
        "cleans and sums up rows, with a checkpoint after each step",
        (Task("Sum up the log.", data={"rows": [{"oil": 3.5}, {"oil": 4.0}, {}]}),),
    ),
    "pydantic": Scenario(
        "trip-planner",
        "an agent of pydantic-ai: parallel calls, approval, typed output",
        (Task("Plan a trip to Ulm."),),
        fault_after_events=1,
        app="baton_local.cli.demo.trip_planner:registry",
        needs="models",
    ),
    "workflow": Scenario(
        "fulfil",
        "plain Python as a durable job: parallel steps, approval, a wait",
        (Task("", data={"items": ["lamp", "lens"], "euros": 330}),),
        app="baton_local.cli.demo.order:registry",
    ),
    "simple": Scenario(
        "simple", "uses a few tools; what it does is scripted", (Task("List the library, search it, count two files."),)
    ),
}


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
