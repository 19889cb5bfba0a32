"""Where jobs and all that belongs to them are kept: ports, the adapter on Redis, the twin in memory."""
