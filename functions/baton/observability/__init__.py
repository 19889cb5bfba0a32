"""What is told of what happens: logs, traces, counters, alerts."""
