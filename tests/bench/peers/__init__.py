"""The rows of the benchmark: Baton, its peers, and the least that a pipeline of webhooks can do, on the same agent job.

Each row is a program of its own (`python -m tests.bench.peers.NAME`), and all it needs runs as child processes, so that
the process tree is the bill. Must not: import anything of Baton but what `baton_row` starts.
"""
