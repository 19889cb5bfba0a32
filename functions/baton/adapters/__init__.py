"""Adapters: the only importers of the queue's and the store's SDKs. Importing one opens nothing."""
