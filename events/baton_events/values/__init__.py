"""The one door for values from outside: each is converted once, where it enters, to one canonical form.

Modules: `text` (storable text), `json_value` (JSON of finite numbers), `waits` (times that others name). Invariant:
what passed a door can be stored, sent and read again by every route. Must not: know who gave the value.
"""
