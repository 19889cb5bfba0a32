"""The pages that operators look at, rendered on the server, at `/console` (docs/console.md)."""
