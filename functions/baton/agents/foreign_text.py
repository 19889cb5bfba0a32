"""Text from foreign code, made fit for the store: half a surrogate pair is no UTF-8 and would fail every COMMIT."""


def storable(text: str) -> str:
    """The text with what UTF-8 cannot hold replaced by `?`."""
    return text.encode("utf-8", "replace").decode()
