"""``weitiao predict RUN TEXT ...``, of a run or an export and with nothing else on the line: answered without what parsing any command line
takes, Typer and the flags of every task, which for an export is longer than the answer itself. It knows no model.
"""

from collections.abc import Sequence

from weitiao.errors import RunError
from weitiao.runs import RunFolder

_MANNERS = ("--json", "--quiet")


def answered(arguments: Sequence[str]) -> bool:
    """Answer the command if it is such a one; False leaves it to the parser, and so does everything that is not plain.

    Raises:
        WeitiaoError: as the verb does.
    """
    words = [word for word in arguments if word not in _MANNERS]
    if len(words) < 3 or words[0] != "predict" or any(word.startswith("-") for word in words) or not _is_plain(words[1]):
        return False
    from weitiao.cli.answers import predict_texts
    from weitiao.cli.screen import Screen
    from weitiao.cli.subject import subject_of

    screen = Screen(json="--json" in arguments, quiet="--quiet" in arguments, arguments=arguments)
    subject = subject_of(words[1], None, {})
    predict_texts(screen, subject, words[2:], subject.values(first=False))
    return True


def _is_plain(name: str) -> bool:
    """Whether a folder is a finished run or an export, whose task is one of weitiao's own."""
    folder = RunFolder(name)
    try:
        record = folder.record() if folder.record_file.is_file() else {}
    except RunError:  # which the verb says with more words
        return False
    return record.get("status") == "finished" and "task_file" not in record
