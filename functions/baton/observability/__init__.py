"""What is reported of what happens: logs, traces, counters, alerts."""
