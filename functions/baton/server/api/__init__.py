"""The HTTP API for programs: jobs, streams, health."""
