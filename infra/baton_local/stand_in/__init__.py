"""What the stand-ins share: one HTTP server, one data folder with its lock and token, one plan of faults."""
