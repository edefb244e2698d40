"""Conversations in their usual layouts become one: a list of {"role", "content"}. It knows layouts and roles, no template and no model.

Alpaca (instruction, input, output), OpenAI (messages), ShareGPT (conversations), a prompt and a response, and plain text, which is a single
message of the role "text".
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from weitiao.data.cleaning import MISSING, is_blank
from weitiao.data.column_plan import ColumnPlan
from weitiao.data.columns import require_columns
from weitiao.data.table import Table
from weitiao.errors import DataError
from weitiao.messages import _
from weitiao.quantities import quoted

ROLES = ("system", "user", "assistant")
PASSAGE = "text"  # the role of plain text: all of it is learned
UNREAD = "unread_history"  # what stands for earlier turns that could not be read, until ``messages_of`` refuses it in its row
_SPOKEN = {
    **{role: role for role in (*ROLES, PASSAGE)},
    **dict.fromkeys(("human", "prompter", "instruction", "question"), "user"),
    **dict.fromkeys(("gpt", "chatgpt", "bot", "model", "bard", "bing", "answer", "response"), "assistant"),
    "developer": "system",
}
MESSAGE_HINTS = (
    *("messages", "conversations", "conversation", "dialogue", "dialog", "chat", "turns"),
    *("对话", "会话", "消息", "聊天"),
)
PROMPTS = (
    *("instruction", "prompt", "question", "query", "user", "human", "input"),
    *("指令", "提示", "问题", "提问", "问", "用户", "输入"),
)
INPUTS = ("input", "context", "输入", "上下文")
ANSWERS = (
    *("output", "response", "answer", "completion", "reply", "assistant", "target", "chosen"),
    *("输出", "回答", "答案", "回复", "答", "助手"),
)
SYSTEMS = ("system", "system_prompt", "系统", "系统提示")
HISTORIES = ("history", "历史")
TEXTS = ("text", "content", "passage", "文本", "内容", "正文")


def with_messages(table: Table, *, named: Sequence[str] = (), prompt: Sequence[str] = (), answer: Sequence[str] = ()) -> Table:
    """The table with a column "messages", where it has none but can be read as conversations or as plain text.

    >>> table = Table.of(["instruction", "input", "output"], [["Add.", "1 and 2", "3"]], [2])
    >>> with_messages(table).texts("messages")[0]
    '[{"role": "user", "content": "Add.\\\\n1 and 2"}, {"role": "assistant", "content": "3"}]'

    Args:
        table: as it was read.
        named: the column that the user named for conversations.
        prompt, answer: the columns that the user named for the two sides of a single turn.

    Raises:
        DataError: a column that was named is not there.
    """
    require_columns(table, ColumnPlan({"prompt": tuple(prompt), "answer": tuple(answer)}))
    free = {name.lower(): name for name in table.names}
    system = _first(SYSTEMS, free)
    if not (prompt or answer):
        listed = named[0] if named else _first(MESSAGE_HINTS, free)
        if listed and listed in table.columns:
            return _with_system(table, listed, system) if system else table
    asked = list(prompt) or _asked(free)
    answered = list(answer) or [name for name in (_first(ANSWERS, free),) if name and name not in asked]
    if asked and (answered or prompt or _first(TEXTS, free) is None):
        return _turns(table, asked, answered, system, _first(HISTORIES, free))
    if answered:
        # A text beside an answer is what was asked.
        asked = [name for name in (_first(TEXTS, free),) if name]
        return _turns(table, asked, answered, system, None) if asked else table
    passage = _first(TEXTS, free) or (table.names[0] if len(table.names) == 1 else None)
    return table if passage is None else _passages(table, passage)


def messages_of(value: Any) -> list[dict[str, str]]:
    """One conversation in the one form; a text is what a user says.

    >>> messages_of([{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}])
    [{'role': 'user', 'content': 'Hi'}, {'role': 'assistant', 'content': 'Hello'}]

    Raises:
        DataError: one sentence: an unknown role, an empty content, no list of messages.
    """
    if isinstance(value, str):
        value = [{"role": "user", "content": value}]
    if not isinstance(value, list) or not value or not all(isinstance(message, Mapping) for message in value):
        message = _('a conversation is a list of messages such as {{"role": "user", "content": "..."}}, and this one is {text}.')
        raise DataError(message.format(text=quoted(json.dumps(value, ensure_ascii=False, default=str))))
    messages = [_message(message, number) for number, message in enumerate(value, 1)]
    late = next((number for number, message in enumerate(messages, 1) if message["role"] == "system" and number > 1), None)
    if late:
        raise DataError(_("message {number} is a system message; only the first can be one.").format(number=late))
    if len(messages) > 1 and any(message["role"] == PASSAGE for message in messages):
        raise DataError(_('a message of the role "text" stands alone; in a conversation the roles are {roles}.').format(roles=_roles()))
    return messages


def is_conversation(value: Any) -> bool:
    """Whether a value is a list of messages by its keys, in OpenAI's or ShareGPT's spelling; ``messages_of`` says whether they are right.

    >>> is_conversation([{"from": "human", "value": "Hi"}]), is_conversation([{"text": "Hi"}]), is_conversation([])
    (True, False, False)
    """
    return isinstance(value, list) and bool(value) and all(isinstance(one, Mapping) and _is_message(one) for one in value)


def answers_in(messages: Sequence[Mapping[str, str]]) -> list[int]:
    """Which messages a model learns to write: the assistant's."""
    return [at for at, message in enumerate(messages) if message["role"] == "assistant"]


def asked_of(messages: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """A conversation up to where the model is to answer: without its last answer, if it ends with one."""
    return list(messages[:-1] if len(messages) > 1 and messages[-1]["role"] == "assistant" else messages)


def reference_of(messages: Sequence[Mapping[str, str]]) -> str | None:
    """The answer that a conversation ends with, None where it ends with a question."""
    return messages[-1]["content"] if messages[-1]["role"] == "assistant" else None


def _is_message(value: Mapping[str, Any]) -> bool:
    return ("role" in value or "from" in value) and ("content" in value or "value" in value)


def _message(message: Mapping[str, Any], number: int) -> dict[str, str]:
    """{"role", "content"} from OpenAI's or ShareGPT's spelling."""
    if UNREAD in message:
        text = _('the history is not a list of questions with their answers, such as [["Hi", "Hello"]]: {text}.')
        raise DataError(text.format(text=quoted(str(message[UNREAD]))))
    said = message.get("role", message.get("from"))
    role = _SPOKEN.get(str(said).strip().lower())
    if role is None:
        text = _('message {number} has the role "{role}"; the roles are {roles}.') if said else _("message {number} has no role; {roles}.")
        raise DataError(text.format(number=number, role=said, roles=_roles()))
    content = _content(message.get("content", message.get("value")), number)
    if is_blank(content):
        raise DataError(_("message {number} ({role}) is empty.").format(number=number, role=role))
    return {"role": role, "content": content.replace("\0", "")}


def _content(content: Any, number: int) -> str:
    """A text, or OpenAI's list of parts, of which only texts can be learned."""
    if isinstance(content, str) or content is None:
        return content or ""
    if isinstance(content, (int, float)):
        return str(content)
    parts = content if isinstance(content, list) else [content]
    if all(isinstance(part, Mapping) and part.get("type", "text") == "text" and isinstance(part.get("text"), str) for part in parts):
        return "".join(part["text"] for part in parts)
    message = _("message {number} holds {text}; only texts can be learned.")
    raise DataError(message.format(number=number, text=quoted(json.dumps(content, ensure_ascii=False, default=str))))


def _roles() -> str:
    return _("system, user and assistant (or human and gpt)")


def _asked(free: Mapping[str, str]) -> list[str]:
    """The columns that together are what was asked: an instruction, and the input beside it."""
    asked = _first(PROMPTS, free)
    beside = _first(INPUTS, free)
    return [name for name in (asked, beside if beside != asked else None) if name]


def _turns(table: Table, asked: Sequence[str], answered: Sequence[str], system: str | None, history: str | None) -> Table:
    """Single turns, behind earlier ones where there is a history."""
    cells = zip(
        zip(*(table.texts(name) for name in asked), strict=True),
        zip(*(table.texts(name) for name in answered), strict=True) if answered else [()] * len(table),
        table.texts(system) if system else [None] * len(table),
        table.texts(history) if history else [None] * len(table),
        strict=True,
    )
    rows = []
    for question, answer, said, before in cells:
        texts = {"system": said or "", "user": _joined(question), "assistant": _joined(answer)}
        messages = [{"role": role, "content": text} for role, text in texts.items() if not is_blank(text)]
        earlier = _earlier(before)
        at = 1 if not is_blank(said) else 0
        rows.append(None if is_blank(texts["user"] + texts["assistant"]) else _dumped([*messages[:at], *earlier, *messages[at:]]))
    learned = _(", ").join(f'"{name}"' for name in answered) or _("none")
    note = _("Each row is read as a conversation: asked in {asked}, answered in {answered}.")
    note = note.format(asked=_(", ").join(f'"{name}"' for name in asked), answered=learned)
    return table.with_column("messages", rows, note, made_of=(*asked, *answered, *filter(None, (system, history))))


def _earlier(history: str | None) -> list[dict[str, str]]:
    """Alpaca's history, [[question, answer], ...]. One that is something else is handed on, for ``messages_of`` to refuse.

    >>> _earlier('[["Hi", "Hello"]]'), _earlier("nan"), _earlier("Hi")
    ([{'role': 'user', 'content': 'Hi'}, {'role': 'assistant', 'content': 'Hello'}], [], [{'unread_history': 'Hi'}])
    """
    if history is None or is_blank(history) or history.strip() in MISSING:
        return []
    try:
        turns = json.loads(history, strict=False)
    except (ValueError, RecursionError):
        return [{UNREAD: history}]
    listed = isinstance(turns, list) and all(isinstance(turn, list) and len(turn) == 2 for turn in turns)
    if not listed or not all(isinstance(text, str | int | float | None) for turn in turns for text in turn):
        return [{UNREAD: history}]
    return [{"role": role, "content": str(text)} for turn in turns for role, text in zip(("user", "assistant"), turn, strict=True) if text]


def _passages(table: Table, column: str) -> Table:
    rows = [None if is_blank(text) else _dumped([{"role": PASSAGE, "content": text or ""}]) for text in table.texts(column)]
    note = _(
        'No column holds answers, so every row of "{column}" is plain text, all of which is learned. Name others with --prompt, --answer.'
    )
    return table.with_column("messages", rows, note.format(column=column), made_of=(column,))


def _with_system(table: Table, listed: str, system: str) -> Table:
    """Conversations whose system prompt stands in a column of its own (ShareGPT)."""
    rows = []
    for text, said in zip(table.texts(listed), table.texts(system), strict=True):
        try:
            messages = json.loads(text or "", strict=False)
        except ValueError:
            rows.append(text)  # whoever parses it names the row
            continue
        rows.append(
            _dumped([{"role": "system", "content": said}, *messages]) if isinstance(messages, list) and not is_blank(said) else text
        )
    note = _('The system message of "{column}" stands in "{system}".').format(column=listed, system=system)
    return table.with_column(listed, rows, note, made_of=(listed, system))


def _first(hints: Sequence[str], free: Mapping[str, str]) -> str | None:
    return next((free[hint] for hint in hints if hint in free), None)


def _joined(texts: Iterable[str | None]) -> str:
    return "\n".join(text for text in texts if text and not is_blank(text))


def _dumped(messages: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps(messages, ensure_ascii=False)
