"""What happened in a world, in order, as lines that a person can read; kept only when somebody wants to read it."""


class Story:
    """`record` adds a line; a world that nobody reads passes `kept=False`, and nothing is formatted."""

    def __init__(self, *, kept: bool) -> None:
        self.kept = kept
        self.lines: list[str] = []

    def record(self, at: float, who: str, what: str) -> None:
        if self.kept:
            self.lines.append(f"{at:10.3f}  {who:<28}  {what}")

    def text(self) -> str:
        return "\n".join(self.lines)
