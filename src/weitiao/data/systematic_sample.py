"""Stretches at even distances of a stream of texts whose length nobody knows, in bounded memory. It knows texts, and not what they say."""


class SystematicSample:
    """Every so manieth stretch of a stream: files are often sorted, so its beginning would not do.

    >>> sample = SystematicSample(characters=40, stretch=7)
    >>> for number in range(0, 100, 2):
    ...     sample.add(f"text {number:02}text {number + 1:02}")
    >>> sample.texts
    ['text 00', 'text 32', 'text 64', 'text 96']

    Attributes:
        texts: the stretches, in their order.

    Args:
        characters: that are kept at most.
        stretch: characters of each: a short text is one, a book has many.
    """

    def __init__(self, characters: int, stretch: int) -> None:
        self.texts: list[str] = []
        self._most, self._stretch = characters, stretch
        self._size, self._seen, self._step = 0, 0, 1

    def add(self, text: str) -> None:
        """The next text of the stream."""
        for at in range(0, len(text), self._stretch):
            if self._seen % self._step == 0:
                self._keep(text[at : at + self._stretch])
            self._seen += 1

    def _keep(self, stretch: str) -> None:
        self.texts.append(stretch)
        self._size += len(stretch)
        while self._size > self._most and len(self.texts) > 1:
            self.texts = self.texts[::2]
            self._step *= 2
            self._size = sum(map(len, self.texts))
