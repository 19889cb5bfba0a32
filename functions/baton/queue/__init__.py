"""The message queue: what is published and scheduled, what it knows of messages, and its adapter for QStash."""
