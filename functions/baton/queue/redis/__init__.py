"""The queue in the store's own Redis, and the pump that delivers its messages."""
