"""Models of providers, through pydantic-ai's model classes. Only `baton.sdk.models.catalog` imports it, lazily."""
