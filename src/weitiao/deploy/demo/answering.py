"""Between the page and the model: what stands in the widgets becomes an answer, an explanation, or one sentence about what is wrong.

Many visitors share one model, which answers one at a time.
"""

import html
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao.deploy.demo.answers import answer_html, problem_html
from weitiao.deploy.demo.inputs import Form
from weitiao.deploy.demo.turns import Turns
from weitiao.errors import UsageError, WeitiaoError
from weitiao.messages import _, speaking
from weitiao.report.explanation import explanation

if TYPE_CHECKING:
    from weitiao.model import Model

log = logging.getLogger("weitiao.demo")


class Answering:
    """A model as a page asks it.

    Attributes:
        model: what answers.
        turns: whose turn it is.
        form: its inputs.
    """

    def __init__(self, model: "Model") -> None:
        self.model, self.turns = model, Turns()
        self.form = Form(model.task, model.spec)

    def answer(self, values: Sequence[Any], language: str) -> str:
        """What the model says of what stands in the widgets, as HTML."""
        return self.said(language, lambda: self._answer(values))

    def explained(self, values: Sequence[Any], language: str) -> str:
        """How that answer comes about, as HTML."""
        return self.said(language, lambda: self.explanation(self.form.record(values)))

    def explanation(self, record: Mapping[str, Any]) -> str:
        """The three stages of a record's answer: a page in a frame of its own, which runs no script and reaches nothing."""
        with self.turns:
            facts = self.model.explain(record)
        pictures = {field.name: Path(facts["input"][field.name]).name for field in self.form.fields if field.type == "image"}
        page = explanation({**facts, "input": {**facts["input"], **pictures}}, within=True)
        title = html.escape(_("How this answer comes about"))
        return f'<iframe class="wt-stages" sandbox="allow-same-origin" title="{title}" srcdoc="{html.escape(page)}"></iframe>'

    def stream(self, record: Mapping[str, Any]) -> Iterator[str]:
        """The answer of a model that writes, piece by piece. Whoever stops reading stops the writing."""
        with self.turns:
            if not hasattr(self.model.predictor().backend, "stream"):  # it can only write whole answers
                yield self.model.predict([record])[0]["text"]
                return
            with closing(self.model.stream(record)) as pieces:  # type: ignore[type-var]
                yield from pieces

    def said(self, language: str, make: Callable[[], str]) -> str:
        """What ``make`` gives in a language, or what went wrong with it."""
        with speaking(language):
            try:
                return make()
            except Exception as error:
                return problem_html(problem(error))

    def _answer(self, values: Sequence[Any]) -> str:
        record = self.form.record(values)
        with self.turns:
            (prediction,) = self.model.predict([record])
        return answer_html(record, prediction)


def problem(error: Exception) -> str:
    """One sentence for a visitor about what went wrong. What is nobody's fault but ours is in the log, without what was asked."""
    if isinstance(error, UsageError):
        return error.message.removeprefix(_("Input {number}: {problem}").format(number=1, problem=""))
    if isinstance(error, WeitiaoError):
        return error.message
    log.error("%s", type(error).__name__, exc_info=error)
    return _("The model failed; whoever runs this page finds the reason in its terminal.")
