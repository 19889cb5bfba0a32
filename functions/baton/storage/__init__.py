"""The storage of jobs and all that belongs to them: ports, the adapter on Redis, the twin in memory."""
