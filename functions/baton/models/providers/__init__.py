"""Models of providers, through pydantic-ai's model classes. Only `baton.models.catalog` imports it, lazily."""
