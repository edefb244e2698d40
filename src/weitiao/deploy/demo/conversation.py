"""The tab of a model that talks: what is said, what it writes, piece by piece, and a button that stops it."""

import html
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import gradio

from weitiao.deploy.demo.answering import Answering, problem
from weitiao.deploy.demo.answers import problem_html
from weitiao.deploy.demo.words import Words, asked_in
from weitiao.deploy.server.served import LONGEST_TEXT
from weitiao.errors import UsageError
from weitiao.messages import N_, _, speaking

HEIGHT = 420  # pixels


class Conversation:
    """Its widgets and what they do.

    Attributes:
        chatbot: holds the whole conversation.
        box: what is to be said next.
    """

    def __init__(self, answering: Answering, words: Words) -> None:
        self._answering, self._words = answering, words
        self._stopped: set[str] = set()  # whose writing is to end

    def build(self) -> None:
        """Put the widgets where they are to stand."""
        say, words = self._words, self._words
        self.chatbot = gradio.Chatbot(
            label=words(N_("Conversation")),
            elem_id="conversation",
            height=HEIGHT,
            render_markdown=False,
            buttons=[],  # its own would copy what it holds, not what is read
            feedback_options=None,
            layout="bubble",
        )
        self.chatbot.preprocess = _said  # type: ignore[method-assign,assignment]
        self.problem = gradio.HTML(elem_id="answer")
        with gradio.Row(elem_classes="wt-say"):
            self.box = gradio.Textbox(
                placeholder=say(N_("Say something")),
                show_label=False,
                lines=1,
                max_lines=8,
                scale=8,
                elem_id="input-messages",
                container=False,
            )
            self.send = gradio.Button(say(N_("Send")), variant="primary", scale=1, min_width=90, elem_id="ask")
            self.stop = gradio.Button(say(N_("Stop")), variant="stop", scale=1, min_width=90, visible=False, elem_id="stop")
        self.clear = gradio.Button(say(N_("Forget what was said")), size="sm", elem_id="clear")
        outputs = [self.box, self.chatbot, self.problem, self.send, self.stop]
        for event in (self.box.submit, self.send.click):
            event(self._reply, [self.box, self.chatbot], outputs, concurrency_limit=None, api_visibility="private", show_progress="hidden")
        self.stop.click(self._stop, queue=False, api_visibility="private", show_progress="hidden")
        self.clear.click(
            lambda: ([], "", ""),
            outputs=[self.chatbot, self.box, self.problem],
            queue=False,
            api_visibility="private",
            show_progress="hidden",
        )

    def asked(self, said: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The record of what was said, up to the last thing that people said. Raises UsageError where they have said nothing."""
        messages = plain(said)
        while messages and messages[-1]["role"] != "user":
            messages.pop()
        if not messages:
            raise UsageError(_("Nothing has been said yet."))
        return {self._answering.form.fields[0].name: messages}

    def _reply(self, text: str, said: list[dict[str, Any]], request: gradio.Request) -> Iterator[tuple[Any, ...]]:
        """One thing said, and the answer as it grows."""
        visitor = str(request.session_hash)
        self._stopped.discard(visitor)
        idle = (gradio.update(visible=True), gradio.update(visible=False))
        busy = (gradio.update(visible=False), gradio.update(visible=True))
        with speaking(language := asked_in(request)):
            if not text.strip():
                yield text, said, "", *idle
                return
            if len(text) > LONGEST_TEXT:
                message = _("That has {count:,} characters; at most {most:,} can be said at once.").format(
                    count=len(text), most=LONGEST_TEXT
                )
                yield text, said, problem_html(message), *idle
                return
        talk = [*said, shown("user", text)]
        yield "", talk, "", *busy
        written, wrong = "", ""
        pieces = self._answering.stream(self.asked(talk))
        try:
            for piece in pieces:
                written += piece
                if visitor in self._stopped:
                    break
                yield gradio.skip(), [*talk, shown("assistant", written)], "", *busy
        except Exception as error:
            with speaking(language):
                wrong = problem_html(problem(error))
        finally:
            pieces.close()  # type: ignore[attr-defined]
            self._stopped.discard(visitor)
        with speaking(language):
            answer = [shown("assistant", written or _("nothing written"))] if not wrong or written else []
        yield gradio.skip(), [*talk, *answer], wrong, *idle

    def _stop(self, request: gradio.Request) -> None:
        self._stopped.add(str(request.session_hash))


def _said(payload: Any) -> list[dict[str, str]]:
    """What was said, of what a browser sends back: texts alone. gradio would also take files that it names, and widgets that it describes,
    and send them back again.
    """
    return [] if payload is None else [shown(one["role"], one["content"]) for one in plain(payload.model_dump())]


def shown(role: str, text: str) -> dict[str, str]:
    """What one side said, as gradio is to hold it: it takes what it is given for HTML, with Markdown or without.

    >>> shown("user", "<b> & &amp;"), plain([shown("user", "<b> & &amp;")])
    ({'role': 'user', 'content': '&lt;b&gt; &amp; &amp;amp;'}, [{'role': 'user', 'content': '<b> & &amp;'}])
    """
    return {"role": role, "content": html.escape(text, quote=False)}


def plain(said: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """What gradio holds of a conversation, as tasks have it.

    >>> plain([{"role": "user", "content": [{"type": "text", "text": "Hi"}], "metadata": None}, {"role": "assistant", "content": "Hello"}])
    [{'role': 'user', 'content': 'Hi'}, {'role': 'assistant', 'content': 'Hello'}]
    """
    return [{"role": str(one["role"]), "content": html.unescape(_text(one["content"]))} for one in said]


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
