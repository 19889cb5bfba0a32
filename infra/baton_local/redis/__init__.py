"""A local stand-in for an Upstash Redis database: its REST protocol in front of one real Valkey or Redis server.

Written from the public behaviour of the service. It imports neither the production packages nor the service's SDK,
so that the two sides can only agree through the wire.
"""
