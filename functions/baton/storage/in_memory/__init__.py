"""The store in memory, held to the adapters on Redis by the same contract tests."""
