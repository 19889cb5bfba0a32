"""The recovery of lost work: failed deliveries, sweeps, outages, replays; and pruning."""
