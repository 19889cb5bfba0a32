"""One file per deployed function: its SPEC, its ASGI app, its Lambda handler."""
