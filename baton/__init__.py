"""The documented surface for users' code: re-exports only."""
