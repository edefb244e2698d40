"""``weitiao explain``: one input, and how its answer comes about: on the terminal, as a page, or as JSON. It knows no model."""

from pathlib import Path

from weitiao.cli.answers import as_input, bare_answer, second_input, shown_input
from weitiao.cli.screen import Screen, with_flag
from weitiao.cli.subject import Subject, as_flag
from weitiao.errors import UsageError
from weitiao.messages import _


def explain(screen: Screen, subject: Subject, text: str | None, html: str | None) -> None:
    """Explain one input.

    Args:
        text: the value of the first input, or a whole record as a JSON object; None where the record stands in the flags.
        html: the page's file, where one is wanted.

    Raises:
        UsageError: there is no text, a further input is missing, or the page has no folder to go to.
    """
    from weitiao.cli import stages
    from weitiao.cli.progress import LOADING, working
    from weitiao.cli.tables import pairs

    first = subject.task.inputs[0]
    # A whole record may stand in the flags: --question "..." --context "..."
    by_flag = text is None and first.flag in subject.columns
    if not by_flag and first.flag in subject.columns:
        message = _("The text is given twice. Give it behind {run}, or with {flag}.")
        raise UsageError(message.format(run=subject.name, flag=as_flag(first.flag)))
    given = subject.values(first=by_flag)
    asked = given.pop(first.name) if by_flag else text
    if asked is None or not str(asked).strip():
        raise UsageError(_("There is nothing to explain. Give a text: {command}").format(command=subject.asked_by("explain")))
    if html is not None and (Path(html).is_dir() or not Path(html).parent.is_dir()):  # said now, not after the model has been read
        message = _("--html {file} is no file that can be written: name one in a folder that is there, such as explained.html.")
        raise UsageError(message.format(file=html))
    value = as_input(asked, subject.task) if isinstance(asked, str) else {first.name: asked}
    with working(screen, results=True, first=_(LOADING)) as (api, _observer):
        facts = api.load(subject.name, **subject.loading).explain(value, **given)
    if html is not None:
        from weitiao.report import write_explanation

        write_explanation(facts, Path(html))
        screen.result({**facts, "html": html}, pairs({_("page"): html}), bare=html)
        return screen.next(("weitiao", "predict", subject.name, *subject.flags, "--file", "DATA", "--out", "predictions.csv"))
    said = shown_input(value, subject.task)
    screen.result(
        facts,
        *stages.stages(facts, said, screen.out.width, second_input(value, subject.task, given)),
        bare=bare_answer(facts["decode"]["answer"], subject.task),
    )
    return screen.next(("weitiao", *with_flag(screen.arguments, "--html", "explained.html")))
