"""What an agent remembers: the policy, what becomes an entry, and how entries are kept, found and forgotten."""
