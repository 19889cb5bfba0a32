"""Models of providers, through pydantic-ai's model classes. Only `functions.models.provider` goes in here, lazily."""
