"""Models of providers, through pydantic-ai's model classes. Only `baton.models.provider` goes in here, lazily."""
