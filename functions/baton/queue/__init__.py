"""The message queue: publishing, schedules, records of messages, and the adapter for QStash."""
