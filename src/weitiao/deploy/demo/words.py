"""The page's words in both languages. What stands on it goes to the browser in both, which shows its own; what is said later is said in the
language that the request asks for. All of it is of the project's catalogue.
"""

from collections.abc import Callable
from typing import Any

import gradio

from weitiao.messages import LANGUAGES, _, speaking

# A browser names the country as well, and gradio looks for the very name first.
LOCALES = {"en": ("en",), "zh": ("zh", "zh-CN", "zh-TW", "zh-HK", "zh-SG")}


class Words:
    """Texts that stand on the page, each under a key that gradio's own translation finds."""

    def __init__(self) -> None:
        self._texts: dict[str, dict[str, str]] = {language: {} for language in LANGUAGES}
        self._keyed = gradio.I18n()

    def __call__(self, text: str) -> Any:
        """A text of the catalogue."""
        return self.made(lambda: _(text))

    def made(self, make: Callable[[], str]) -> Any:
        """A text that is made in each language."""
        key = f"weitiao_{len(self._texts['en'])}"
        for language, texts in self._texts.items():
            with speaking(language):
                texts[key] = make()
        return self._keyed(key)

    @property
    def catalogue(self) -> gradio.I18n:
        """All of them, for gradio."""
        return gradio.I18n(**{locale: self._texts[language] for language, locales in LOCALES.items() for locale in locales})


def language_of(accepted: str | None) -> str:
    """The language of an Accept-Language header: the first of ours that it names.

    >>> language_of("zh-CN,zh;q=0.9,en;q=0.8"), language_of("fr, zh;q=0.5"), language_of("de"), language_of(None)
    ('zh', 'zh', 'en', 'en')
    """
    named = (part.partition(";")[0].strip().lower().partition("-")[0] for part in (accepted or "").split(","))
    return next((name for name in named if name in LANGUAGES), "en")


def asked_in(request: gradio.Request) -> str:
    """The language of whoever asks."""
    return language_of(request.headers.get("accept-language"))
