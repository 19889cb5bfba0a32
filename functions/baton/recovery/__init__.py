"""What brings back work that was lost: failed deliveries, sweeps, outages, replays, and what is pruned."""
