"""`agent.loop.init`: the next turn of a job; the one function that calls models."""

from baton.worker.handlers.agent_loop import handler

__all__ = ["handler"]
