"""Reports of what happens: logs, traces, counters, alerts."""
