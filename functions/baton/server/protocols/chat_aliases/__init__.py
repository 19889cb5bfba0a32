"""The chat API of seed 003: its routes and bodies, translated to the endpoints that do the work."""
