"""A case for every public method of the Python SDK's QStash resources, by resource."""
