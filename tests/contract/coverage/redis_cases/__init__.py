"""A case for every command method of the Python SDK's Redis clients, by family."""
