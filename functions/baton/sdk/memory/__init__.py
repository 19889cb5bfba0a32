"""The memory of an agent: its policy, its entries, and how they are kept, found and forgotten."""
