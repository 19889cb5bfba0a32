"""Connections to the server behind the bridge, and the protocol that they speak."""
