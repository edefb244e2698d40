"""Remembers what is said while something is done."""

from weitiao.observer import Observer


class Listener(Observer):
    """Keeps notes and warnings, in their order."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)
