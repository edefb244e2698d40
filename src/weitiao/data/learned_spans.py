"""Which characters of a rendered conversation a model learns: its answers and what ends them. It knows templates and texts, no tokens.

Answers are found by rendering the conversation up to each of them, so any template will do, with marks for generation or without.
"""

from collections.abc import Mapping, Sequence

from weitiao.data.chat_templates import Message, render
from weitiao.data.conversations import answers_in

Span = tuple[int, int]  # (start, end) in characters


def learned_spans(template: str, messages: Sequence[Message], tokens: Mapping[str, str]) -> list[tuple[str, list[Span]]]:
    """Texts and the spans to learn in each: one text with every answer, or one text for each answer where the template rewrites history.

    >>> template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}|{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
    >>> talk = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]
    >>> [(text, [text[slice(*span)] for span in spans]) for text, spans in learned_spans(template, talk, {})]
    [('<user>Hi|<assistant>Yo|', ['Yo|'])]

    Some templates drop the reasoning of earlier answers, or move the system message to the last question: an answer is then learned in
    the very text that the model will see when it is to write it.

    Args:
        template, tokens: as ``chat_templates.render`` takes them.
        messages: a conversation with at least one answer; what follows the last one is left out.

    Raises:
        DataError: the template refuses the conversation.
    """
    answers = answers_in(messages)
    whole = render(template, messages[: answers[-1] + 1], tokens)
    texts = [(render(template, messages[: at + 1], tokens) if at != answers[-1] else whole) for at in answers]
    spans = [_span(template, messages[: at + 1], text, tokens) for at, text in zip(answers, texts, strict=True)]
    if all(whole.startswith(text) for text in texts):
        return [(whole, spans)]
    return [(text, [span]) for text, span in zip(texts, spans, strict=True)]


def ending(template: str, tokens: Mapping[str, str]) -> str:
    """What the template writes behind an answer, such as "<|im_end|>\\n"."""
    mark = "weitiao"
    talk = [{"role": "user", "content": "?"}, {"role": "assistant", "content": mark}]
    return render(template, talk, tokens).rpartition(mark)[2]


def _span(template: str, messages: Sequence[Message], text: str, tokens: Mapping[str, str]) -> Span:
    """Where the last of the messages stands in ``text``, the rendering of all of them, with the mark that ends it."""
    content = messages[-1]["content"].strip()
    at = text.rfind(content)
    if len(messages) > 1:
        # The prompt may end in more than the answer begins with: some templates open a "<think>" that a given answer does not have.
        start = _shared(render(template, messages[:-1], tokens, prompt=True), text)
    else:
        start = max(at, 0)
    rest = text[at + len(content) :] if at >= start else ""
    # Behind a mark ("<|im_end|>\n") white space is the template's own, and nobody will wait for the model to write it.
    return start, len(text.rstrip()) if rest.strip() else len(text)


def _shared(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
