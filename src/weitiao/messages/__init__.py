"""What weitiao says, in English and Chinese, from one gettext catalogue. It knows no other module.

The English text is the message id: ``_("The file {file} is empty.").format(file=...)``. A text that is declared before the language is
known (help of a setting, a field's title) is marked with ``N_`` and translated with ``_`` where it is shown. The catalogue is
``zh/LC_MESSAGES/weitiao.po``; ``make messages`` extracts and compiles it, and a test finds what is missing.
"""

import gettext
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

LANGUAGES = ("en", "zh")
_language = "en"
_spoken: ContextVar[str] = ContextVar("spoken", default="")  # what a block of this thread or task speaks, where it differs


def locale_language(environment: dict[str, str] | None = None) -> str:
    """The language that WEITIAO_LANG or the locale asks for: "zh" for any Chinese locale, else "en".

    >>> locale_language({"LANG": "zh_CN.UTF-8"}), locale_language({"LC_ALL": "C", "LANG": "zh_CN"}), locale_language({})
    ('zh', 'en', 'en')
    """
    variables = os.environ if environment is None else environment
    for name in ("WEITIAO_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        if variables.get(name):
            return "zh" if variables[name].lower().startswith("zh") else "en"
    return "en"


def set_language(language: str) -> None:
    """Choose "en" or "zh" for everything said from here on."""
    global _language
    _language = language


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """A block that speaks "en" or "zh", whatever is said elsewhere at the same time: a server answers each visitor in his own language.

    >>> with speaking("zh"):
    ...     _("Label")
    '标签'
    """
    before = _spoken.set(language)
    try:
        yield
    finally:
        _spoken.reset(before)


def language() -> str:
    """The language in force, "en" or "zh"."""
    return _spoken.get() or _language


def _(text: str) -> str:
    """``text`` in the language in force."""
    return _catalogue(language()).gettext(text) if text else text


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    if language == "en":
        return gettext.NullTranslations()
    return gettext.translation("weitiao", Path(__file__).parent, languages=[language], fallback=True)


def N_(text: str) -> str:
    """Marks a text for the catalogue without translating it yet."""
    return text
