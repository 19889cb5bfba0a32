"""Large payloads around the work: read before it, stored after it."""
