"""Tests of agents in one process and in virtual time, with a crash at every point at which a process can die."""

from baton.testing.records import Approve, Checkpoint, Operation, Reject, Run, ToolStart
from baton.testing.report import Report
from baton.testing.simulation import Simulation

__all__ = ["Approve", "Checkpoint", "Operation", "Reject", "Report", "Run", "Simulation", "ToolStart"]
