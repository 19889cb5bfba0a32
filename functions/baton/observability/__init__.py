"""What is told of what happens: logs, traces, figures, alerts."""
