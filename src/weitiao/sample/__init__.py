"""The bundled sample: messages to an online shop, each with the team it belongs to, in English and in Chinese.

It knows where its two files are and nothing of how a file is read. What the labels mean and the licence stand in README.md beside them.
"""

from pathlib import Path

from weitiao.errors import UsageError
from weitiao.messages import LANGUAGES, _

PICTURE = Path(__file__).with_name("picture.png")  # a red circle on white: what tasks that read pictures show as their example


def path(language: str = "en") -> Path:
    """The sample's CSV file, with the columns ``text`` and ``label``, for "en" (English) or "zh" (Chinese).

    >>> path("zh").name
    'messages_zh.csv'

    Raises:
        UsageError: there is no sample in that language.
    """
    if language not in LANGUAGES:
        message = _('There is no sample in "{language}"; there are: {languages}. Type, for example, sample:en.')
        raise UsageError(message.format(language=language, languages=_(", ").join(LANGUAGES)))
    return Path(__file__).with_name(f"messages_{language}.csv")
