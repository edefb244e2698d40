"""``weitiao chat``: what people say goes to a model, what it writes comes back piece by piece, and the conversation is kept.

It knows standard input and output and a model's ``stream``; replies go to standard output, everything else to standard error.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from typing import Any

from rich.text import Text

from weitiao import asking, tasks
from weitiao.cli import standard_input
from weitiao.cli.screen import Screen, to_json
from weitiao.cli.subject import subject_of
from weitiao.errors import UsageError
from weitiao.messages import N_, _
from weitiao.runs import RunFolder

COMMANDS = {"/exit": N_("end (so does Ctrl-D)"), "/reset": N_("forget what was said"), "/help": N_("show this")}


def chat(screen: Screen, name: str, system: str, settings: Mapping[str, Any], *, trust_task: bool = False) -> None:
    """Talk until there is nothing more to say.

    Args:
        name: a run's folder, or a pretrained model.
        system: what the model is told first; "" for nothing.
        settings: of the task and of the model, as text.
        trust_task: whether a run's own task file may run wherever it came from.
    """
    from weitiao.cli.progress import working

    is_run = RunFolder(name).record_file.is_file()
    if is_run:
        _refuse_silent(name, trust_task)
    talker = next(task.name for task in tasks.all_tasks().values() if asking.talks(task))
    subject = subject_of(name, None if is_run else talker, settings, trust_task=trust_task)
    first = subject.task.inputs[0]
    with working(screen) as (api, _observer):
        model = api.load(name, **subject.loading)
        model.predictor()  # weights are read now, not behind the first question
    talk = Conversation(model, first.name, system, asking.drawing(subject.loading))
    people = sys.stdin.isatty()
    if people:
        screen.note(_("{model}. /help lists what you can type besides talking; Ctrl-D ends.").format(model=name))
    for line in _typed(screen) if people else standard_input.lines():
        said = line.strip()
        if said == "/exit":
            break
        if said == "/reset":
            talk.reset()
            screen.note(_("Forgotten; this is a new conversation."))
        elif said == "/help":
            for command, meaning in COMMANDS.items():
                screen.note(f"{command:8}{_(meaning)}")
        elif said:
            _reply(screen, talk, said)
    if screen.json:
        print(to_json({"messages": talk.messages}))
    if people:
        screen.next(("weitiao", "predict", name, *subject.flags, "--file", "DATA", "--out", "predictions.jsonl"))


class Conversation:
    """What was said so far, and a model that says the next.

    Attributes:
        messages: [{"role", "content"}, ...].

    Args:
        field: the input that holds the messages.
        arguments: of ``Model.stream``.
    """

    def __init__(self, model: Any, field: str, system: str, arguments: Mapping[str, Any]) -> None:
        self._model, self._field, self._arguments = model, field, arguments
        self._system = [{"role": "system", "content": system}] if system else []
        self.messages: list[dict[str, str]] = []
        self.reset()

    def reset(self) -> None:
        """Forget everything but the system message."""
        self.messages = list(self._system)

    def say(self, text: str) -> Iterator[str]:
        """The reply, piece by piece, without white space before it. What is said and answered joins the conversation once the reply ends,
        or is cut short by closing the iterator; a question without any answer does not.
        """
        asked = {"role": "user", "content": text}
        reply = ""
        pieces = self._model.stream({self._field: [*self.messages, asked]}, **self._arguments)
        try:
            with closing(pieces):
                for piece in pieces:
                    shown = piece if reply else piece.lstrip()
                    reply += shown
                    if shown:
                        yield shown
        finally:
            if reply.strip():
                self.messages += [asked, {"role": "assistant", "content": reply.strip()}]


def _refuse_silent(run: str, trust_task: bool) -> None:
    """Raises UsageError for a run of a task that holds no conversation, before its settings are judged by that task."""
    task = subject_of(run, None, {}, trust_task=trust_task).task
    if not asking.talks(task):
        message = _("{run} does {task}, so it does not talk. Use it: weitiao predict {run} TEXT")
        raise UsageError(message.format(run=run, task=task.name))


def _reply(screen: Screen, talk: Conversation, said: str) -> None:
    """Print a reply as it comes. Ctrl-C cuts it short; the conversation goes on."""
    written = False
    with closing(talk.say(said)) as pieces:  # type: ignore[type-var]
        try:
            for piece in pieces:
                written = True
                if not screen.json:
                    sys.stdout.write(piece)
                    sys.stdout.flush()
        except KeyboardInterrupt:
            if not sys.stdin.isatty():
                raise
    if not screen.json:
        sys.stdout.write("\n")
        sys.stdout.flush()
    if not written:
        screen.note(_("The model said nothing."))


def _typed(screen: Screen) -> Iterator[str]:
    """Lines that a person types, with a prompt and, where the terminal has it, editing and history."""
    with suppress(ImportError):
        import readline  # noqa: F401 - being imported is what gives ``input`` its editing
    while True:
        try:
            if sys.stdout.isatty():
                yield input("› ")
                continue
            screen.err.print(Text("› "), end="")
            line = sys.stdin.readline()
        except EOFError:
            line = ""
        if not line:
            screen.err.print()
            return
        yield line
