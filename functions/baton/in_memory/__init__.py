"""Store, admission and reader in memory, held to the real adapters by the same contract tests."""
