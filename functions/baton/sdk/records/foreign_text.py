"""A text that is not ours, in a log line: it stands there unless payloads are sealed.

Must not: know how logs are written.
"""


class ForeignText:
    """A text of users, tools, handlers or models; `place` stands for it in logs while payloads are sealed."""

    def __init__(self, text: str, place: str = "[text]") -> None:
        self._text, self.place = text, place

    def __str__(self) -> str:
        return self._text
