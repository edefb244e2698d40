"""The page as a whole: what the model is, the tabs that ask it, and what to do next. It puts together; each part knows its own."""

import os
from collections.abc import Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import gradio

from weitiao import asking
from weitiao.deploy.demo.about import about_html, next_html, shown_name
from weitiao.deploy.demo.answering import Answering
from weitiao.deploy.demo.answers import answer_html
from weitiao.deploy.demo.batch import Batch
from weitiao.deploy.demo.conversation import Conversation
from weitiao.deploy.demo.examples import examples
from weitiao.deploy.demo.inputs import Form
from weitiao.deploy.demo.manner import Manner
from weitiao.deploy.demo.words import Words, asked_in
from weitiao.forms import form_of
from weitiao.messages import N_
from weitiao.quantities import one_line
from weitiao.report.rendering import render

if TYPE_CHECKING:
    from weitiao.model import Model

KEPT = 3600  # seconds that an uploaded file is kept
LONGEST_EXAMPLE = 90  # characters of one that are shown
# A frame is as high as what is in it, also when something in it is opened.
FRAME = """
const fit = () => {
  const frame = element.querySelector("iframe");
  if (!frame) return;
  const measure = () => {
    const page = frame.contentDocument;
    if (page && page.body) frame.style.height = page.body.scrollHeight + 4 + "px";
  };
  frame.addEventListener("load", () => { measure(); new ResizeObserver(measure).observe(frame.contentDocument.body); });
  measure();
};
watch("value", fit);
"""


class Page:
    """A model's page.

    Attributes:
        blocks: gradio's own.
        words: all that stands on it, in both languages.
        pictures: paths of the examples' pictures, which gradio may show wherever they lie.
    """

    def __init__(self, model: "Model", flags: tuple[str, ...] = (), manner: Manner = Manner()) -> None:  # noqa: B008 - frozen
        self._model, self._manner, self.words = model, manner, Words()
        self.pictures: list[str] = []
        self._answering = Answering(model)
        record = getattr(model, "record", None) or {}
        # Its title says which of many tabs of a browser it is.
        title = f"{manner.title or shown_name(model.name)} · weitiao"
        with gradio.Blocks(title=title, analytics_enabled=False, delete_cache=(KEPT, KEPT)) as self.blocks:
            gradio.HTML(self.words.made(lambda: about_html(model.name, model.task, model.spec, record, manner.title)))
            with gradio.Tabs():
                ask = self._conversation if asking.talks(model.task) else self._question
                with gradio.Tab(self.words(N_("Try it")), id="ask"):
                    inputs = ask()
                # A file that names pictures would have this machine open files for strangers.
                alone = all(field.type not in ("image", "messages") for field in self._answering.form.fields)
                if alone and manner.whole_files:
                    with gradio.Tab(self.words(N_("A whole file")), id="file"):
                        Batch(self._answering, self.words).build()
                if form_of(record).reader != "ctranslate2":  # which shows only what it writes
                    with gradio.Tab(self.words(N_("How it works")), id="stages"):
                        self._stages(inputs)
            if manner.commands:
                gradio.HTML(self.words.made(lambda: next_html(model.name, model.task, model.spec, flags)))

    @property
    def css(self) -> str:
        """How it looks beyond gradio's own."""
        return files("weitiao.deploy.demo").joinpath("page.css").read_text(encoding="utf-8")

    def _question(self) -> list[Any]:
        """Widgets, a button, and the answer below; the widgets."""
        form, say = self._answering.form, self.words
        with gradio.Row(equal_height=False):
            with gradio.Column(scale=1, min_width=300):
                inputs = form.widgets(say)
                button = gradio.Button(say(N_("Ask")), variant="primary", elem_id="ask")
            with gradio.Column(scale=1, min_width=300):
                answer = gradio.HTML(say.made(lambda: _waiting()), elem_id="answer")
        answers = self._manner.answers
        records = [dict(one) for one in self._manner.examples] or examples(self._model.task, self._model.spec, self._model.folder)
        pictured = [field.name for field in form.fields if field.type == "image"]
        self.pictures = [os.path.abspath(record[name]) for record in records for name in pictured if record.get(name)]
        # Each as one text, whatever it is made of: a table of gradio's has heads in one language.
        texts = [[one_line(" · ".join(_told(record, form)), LONGEST_EXAMPLE)] for record in records]
        shown = gradio.Dataset(components=["textbox"], samples=texts, label=say(N_("Examples")), elem_id="examples", type="index")

        def ask(request: gradio.Request, *values: Any) -> str:
            return self._answering.answer(values, asked_in(request))

        def fill(at: int) -> Any:
            values = form.values(records[at])
            return values if len(values) > 1 else values[0]

        def recall(at: int, request: gradio.Request) -> str:
            return self._answering.said(asked_in(request), lambda: answer_html(records[at], answers[at]))

        quiet: dict[str, Any] = {"api_visibility": "private"}
        asked = {"fn": ask, "inputs": inputs, "outputs": [answer], "concurrency_limit": 4, **quiet}
        button.click(**asked)
        filled = shown.click(fill, [shown], inputs, queue=False, show_progress="hidden", **quiet)
        filled.then(**({"fn": recall, "inputs": [shown], "outputs": [answer], "queue": False, **quiet} if answers else asked))
        return inputs

    def _conversation(self) -> list[Any]:
        self._talk = Conversation(self._answering, self.words)
        self._talk.build()
        return [self._talk.chatbot]

    def _stages(self, inputs: list[Any]) -> None:
        """The three stages for what stands in the first tab."""
        answering = self._answering
        gradio.HTML(self.words.made(lambda: _stages_words()))
        button = gradio.Button(self.words(N_("Show it for what stands in “Try it”")), variant="primary", elem_id="explain")
        shown = gradio.HTML(elem_id="stages", js_on_load=FRAME)

        def explain(request: gradio.Request, *values: Any) -> str:
            language = asked_in(request)
            if asking.talks(self._model.task):
                return answering.said(language, lambda: answering.explanation(self._talk.asked(values[0])))
            return answering.explained(values, language)

        button.click(explain, inputs, [shown], concurrency_limit=4, api_visibility="private")


def _told(record: Mapping[str, Any], form: Form) -> list[str]:
    """What can be read of a record."""
    values = [record.get(field.name) for field in form.fields if field.type != "image"]
    return [", ".join(map(str, value)) if isinstance(value, list) else str(value) for value in values if value is not None]


def _waiting() -> str:
    return render("waiting.html.j2", package="weitiao.deploy.demo")


def _stages_words() -> str:
    return render("stages_words.html.j2", package="weitiao.deploy.demo")
