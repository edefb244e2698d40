"""The command line: parses, calls ``weitiao.api``, prints. It decides nothing about data, models or training.

    options       settings -> flags          commands, helppage   Typer in our own words
    verbs         one function a verb        progress             long work on a terminal
    screen        where words go             tables, figures      results as tables
    failures      exceptions -> paragraphs   surroundings         other packages kept quiet
    line_breaks   also between characters   quick           an export's answer before anything is parsed

Importing it imports neither torch, transformers, numpy nor pyarrow, so that ``weitiao --help`` is instant.
"""

import signal
import sys
from contextlib import suppress

from weitiao.messages import LANGUAGES, locale_language, set_language

# What a shell reports for a program whose reader, such as head, went away: 128 and the number of that signal.
PIPE_BROKEN = 141
TERMINATED = 143  # the same of one that SIGTERM ended


def run(arguments: list[str]) -> int:
    """Run one command and give its exit code. No exception leaves but SystemExit from shell completion."""
    before_texts = arguments[: arguments.index("--")] if "--" in arguments else arguments
    set_language(asked_language(before_texts))
    debug = "--debug" in before_texts

    from weitiao.cli.surroundings import settle

    settle(debug=debug)
    _tidy_when_told_to_stop()

    from weitiao.cli import quick

    try:
        code = 0 if quick.answered(arguments) else _parsed(arguments)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        from weitiao.cli import failures

        failures.quiet_about_broken_pipes()
        return PIPE_BROKEN
    except (Exception, KeyboardInterrupt) as error:
        from weitiao.cli import failures
        from weitiao.cli.screen import Screen

        screen = Screen(json="--json" in before_texts, quiet="--quiet" in before_texts)
        return failures.report(error, screen, debug=debug)


def _tidy_when_told_to_stop() -> None:
    """Let SIGTERM end the command like any error does, so that nothing half-written stays. Training and servers have ways of their own."""
    with suppress(ValueError):  # not the main thread
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, lambda *_given: sys.exit(TERMINATED))


def _parsed(arguments: list[str]) -> int:
    from weitiao.cli.application import group
    from weitiao.cli.commands import invoke

    return invoke(group(), arguments)


def asked_language(arguments: list[str]) -> str:
    """The language of ``--lang``, else the locale's. A wrong value is left for the parser to refuse.

    >>> asked_language(["train", "--lang", "zh"]), asked_language(["--lang=en"])
    ('zh', 'en')
    """
    for at, argument in enumerate(arguments):
        value = argument[7:] if argument.startswith("--lang=") else "".join(arguments[at + 1 : at + 2]) if argument == "--lang" else ""
        if value in LANGUAGES:
            return value
    return locale_language()
