"""One file per webhook function: its SPEC, its ASGI app, its Lambda handler."""
