"""Events of your own: each starts a job for each of its handlers."""

from baton.worker.handlers.app_events import handler

__all__ = ["handler"]
