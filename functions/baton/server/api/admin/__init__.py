"""The API for operators: usage of tenants, admission, tools, queue messages, metrics, health."""
