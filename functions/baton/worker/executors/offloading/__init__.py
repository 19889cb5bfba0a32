"""Offloaded model calls: made by the queue or a provider while the job waits."""
