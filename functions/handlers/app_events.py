"""Events of your own: each starts a job for each of its handlers."""

from baton.handlers.app_events import handler

__all__ = ["handler"]
