"""Where events and requests arrive, and where users add agents and tools."""
