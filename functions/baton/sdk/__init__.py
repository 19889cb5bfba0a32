"""Small records and rules that users' code and the engine share. Nothing here does I/O."""
