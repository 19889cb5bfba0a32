"""What a person can put right about a replay: the file, the job, or the agents that are there."""

from baton_local.dev.stack_error import StackError


class ReplayError(StackError):
    """The recording cannot be read, or cannot be played here."""
