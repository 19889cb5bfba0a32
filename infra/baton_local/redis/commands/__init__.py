"""What becomes of a client's command before it reaches the server. Nothing here opens a connection."""
