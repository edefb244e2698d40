"""A text, alone or with a second one that it is compared with: the two fields, and the texts of a record. Knows no task."""

from collections.abc import Mapping
from typing import Any

from weitiao.data.records import Records
from weitiao.errors import DataError
from weitiao.fields import Field
from weitiao.messages import N_, _

TEXT = Field(
    "text",
    "text",
    N_("Text"),
    flag="text",
    hints=(
        *("text", "sentence", "content", "review", "comment", "tweet", "message", "body", "query", "question", "title"),
        *("sentence1", "sentence_1", "premise", "question1", "text_a", "text1"),
        *("文本", "评论", "内容", "正文", "句子", "评价", "留言", "消息", "问题", "标题", "文字", "句子1", "文本1"),
    ),
    second="pair",
)
PAIR = Field(
    "pair",
    "text",
    N_("Second text"),
    flag="pair",
    hints=("pair", "sentence2", "sentence_2", "hypothesis", "question2", "text_b", "text2", "句子2", "文本2"),
    optional=True,
)


def has_pairs(records: Records) -> bool:
    """Whether the records are pairs."""
    return any(records.columns.get("pair", ()))


def texts_of(record: Mapping[str, Any], paired: bool | None) -> tuple[str, str | None]:
    """The text and, of a pair, the second one.

    >>> texts_of({"text": "a", "pair": None}, paired=False)
    ('a', None)

    Args:
        record: {"text", "pair"}.
        paired: whether the model learned from pairs; None where nobody knows.

    Raises:
        DataError: the record has a second text and should not, or the other way round.
    """
    second = record.get("pair") or None
    if paired and second is None:
        raise DataError(
            _("This model compares two texts, and the second is missing. Give it with --pair, or as {example}.").format(
                example='{"text": "...", "pair": "..."}'
            )
        )
    if paired is False and second is not None:
        raise DataError(_("This model was trained on single texts, and a second text is given. Leave out --pair, or train it on pairs."))
    return record["text"], second


def inputs_of(records: Records) -> list[str] | list[tuple[str, str]]:
    """What the baselines read: texts, or pairs of them."""
    if not has_pairs(records):
        return list(records.columns["text"])
    return [(text, pair or "") for text, pair in zip(records.columns["text"], records.columns["pair"], strict=True)]
