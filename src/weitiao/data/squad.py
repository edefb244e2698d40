"""SQuAD's JSON (versions 1 and 2, and CMRC's variant of it) becomes a table, a row a question. It knows the format and no task.

{"data": [{"paragraphs": [{"context": "...", "qas": [{"question": "...", "answers": [{"text": "...", "answer_start": 0}]}]}]}]}
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from weitiao.data.json_tables import decoded, written
from weitiao.data.table import Table
from weitiao.errors import DataError
from weitiao.messages import _
from weitiao.quantities import quoted


def squad_table(path: Path, open_text: Callable[[], TextIO]) -> Table | None:
    """Columns "question", "context", "id" and "answers" (as JSON); a row's number is its question's in the file, from 1.

    A question that "is_impossible" has the answers []. Where no question of the file says what its answers are, there is no such column.

    Returns:
        None where the file at ``path`` is not SQuAD's; what is not valid JSON is left to the ordinary reader, who says where it breaks.

    Raises:
        DataError: an article, a paragraph or a question lacks what it needs; the message says which, and what to do.
    """
    with open_text() as file:
        text = file.read().lstrip("\ufeff")
    if '"qas"' not in text:
        return None
    try:
        content = decoded(text.strip())
    except (ValueError, RecursionError):
        return None
    articles = content.get("data") if isinstance(content, dict) else content
    if not isinstance(articles, list) or not any(isinstance(one, dict) and ("paragraphs" in one or "qas" in one) for one in articles):
        return None
    cells = [
        [_asked(question, place, str(path)), context, _identity(question), _answers(question)]
        for place, context, questions in _paragraphs(articles, str(path))
        for question in questions
    ]
    names = ["question", "context", "id", "answers"]
    kept = [at for at, name in enumerate(names) if at < 2 or any(row[at] is not None for row in cells)]
    return Table.of([names[at] for at in kept], [[row[at] for at in kept] for row in cells], range(1, len(cells) + 1))


def _paragraphs(articles: list[Any], file: str) -> Iterator[tuple[tuple[int, int], str, list[dict[str, Any]]]]:
    """Each paragraph's place (article, paragraph), its text and its questions."""
    for number, article in enumerate(articles, 1):
        paragraphs = article.get("paragraphs", [article]) if isinstance(article, dict) else None
        if not isinstance(paragraphs, list):
            raise _broken(_('article {number} has no list of "paragraphs".').format(number=number), number, file)
        for at, paragraph in enumerate(paragraphs, 1):
            context = paragraph.get("context", paragraph.get("context_text")) if isinstance(paragraph, dict) else None
            questions = paragraph.get("qas") if isinstance(paragraph, dict) else None
            if not isinstance(context, str) or not isinstance(questions, list) or not all(isinstance(one, dict) for one in questions):
                message = _('article {number}, paragraph {paragraph}: it needs a text as "context" and a list of objects as "qas".')
                raise _broken(message.format(number=number, paragraph=at), number, file)
            yield (number, at), context, questions


def _broken(problem: str, article: int, file: str) -> DataError:
    cure = _("Repair it or take it out; or give a table with one question a row: weitiao check FILE.csv --task question-answering")
    return DataError(f"{file}: {problem} {cure}", file=file, row=article)


def _asked(question: dict[str, Any], place: tuple[int, int], file: str) -> str | None:
    """The question; a number is one as it is written, None is left for cleaning to drop."""
    value = question.get("question", question.get("query_text"))
    if value is None or isinstance(value, str) or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return written(value)
    message = _("article {number}, paragraph {paragraph}: a question must be a text, and this one is {text}.")
    raise _broken(message.format(number=place[0], paragraph=place[1], text=quoted(written(value) or "")), place[0], file)


def _identity(question: dict[str, Any]) -> str | None:
    identity = question.get("id", question.get("query_id"))
    return None if identity is None else str(identity)


def _answers(question: dict[str, Any]) -> str | None:
    """A question's answers as JSON; None where the file does not say."""
    if question.get("is_impossible") is True:
        return "[]"
    answers = question.get("answers")
    return None if answers is None else json.dumps(answers, ensure_ascii=False)
