"""The storage of jobs and all that belongs to them: ports, and the adapters on Redis."""
