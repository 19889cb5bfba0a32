"""The failure callback of the queue: takes back messages that it gave up on."""

from baton.worker.handlers.delivery_failed import handler

__all__ = ["handler"]
