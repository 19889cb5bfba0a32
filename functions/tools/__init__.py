"""What an agent acts with: the `@tool` decorator, its context, and a set of file tools."""
