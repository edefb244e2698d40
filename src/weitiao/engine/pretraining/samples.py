"""What a model that is being pretrained answers to a few held-out texts, in words: a hidden word found again, a beginning gone on with.

It knows predictors, and tasks by what they are asked.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from weitiao import tasks
from weitiao.data.conversations import PASSAGE
from weitiao.data.whole_words import whole_words
from weitiao.engine.prediction import predictor_for
from weitiao.messages import _
from weitiao.quantities import one_line
from weitiao.tasks.base import Spec

if TYPE_CHECKING:
    from weitiao.engine.models import LoadedModel

LENGTH = 60  # characters of a text
NEW_TOKENS = 20
SHOWN = 200  # characters of a line's texts, holes included


def samples(task_name: str, spec: Spec, loaded: "LoadedModel", texts: Sequence[str], segmenter: str) -> Iterator[str]:
    """A line for each text.

    Args:
        task_name: what the model is asked as: "fill-mask" or "text-generation"; others give no lines.
        spec: that task's.
        texts: held out.
        segmenter: how words are found, see ``data.whole_words``.
    """
    records: list[Mapping[str, Any]] = []
    if task_name == "fill-mask":
        records = [one for text in texts if (one := _with_a_hole(text, segmenter, loaded.tokenizer)) is not None]
    elif task_name == "text-generation":
        records = [{"messages": [{"role": PASSAGE, "content": text[: LENGTH // 2]}]} for text in texts]
        spec = {**spec, "max_new_tokens": NEW_TOKENS}
    if not records:
        return
    predictor = predictor_for(tasks.get(task_name), spec, loaded, loaded.limit or 512)
    for record, prediction in zip(records, predictor.predict(records), strict=True):
        if task_name == "fill-mask":
            found = "".join(options[0]["token"].removeprefix("##") for options in prediction["masks"])
            text = one_line(record["text"], SHOWN)
            yield _("Sample: {text} Hidden: {word}, guessed: {found}").format(text=text, word=record["word"], found=found)
        else:
            text = one_line(record["messages"][0]["content"], SHOWN)
            yield _("Sample: {text} … {more}").format(text=text, more=one_line(prediction["text"], SHOWN))


def _with_a_hole(text: str, segmenter: str, tokenizer: Any) -> dict[str, str] | None:
    """A text whose middle word is hidden, every piece of it; None where it has no word between others."""
    text = text[:LENGTH]
    words = [(start, end) for start, end in whole_words(text, segmenter) if text[start:end].isalnum()][:-1]  # the last may be cut
    if len(words) < 3:
        return None
    start, end = words[len(words) // 2]
    holes = "".join([tokenizer.mask_token] * max(1, len(tokenizer.tokenize(text[start:end]))))
    return {"text": text[:start] + holes + text[end:], "word": text[start:end]}
