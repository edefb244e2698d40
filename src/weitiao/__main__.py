"""The entry point: settles the language before anything with a help text is imported."""

import sys

from weitiao.messages import LANGUAGES, locale_language, set_language


def asked_language(arguments: list[str]) -> str:
    """The language of ``--lang``, else the locale's. A wrong value is left for the command line's own parser to refuse.

    >>> asked_language(["train", "--lang", "zh"]), asked_language(["--lang=en"])
    ('zh', 'en')
    """
    for at, argument in enumerate(arguments):
        value = argument[7:] if argument.startswith("--lang=") else "".join(arguments[at + 1 : at + 2]) if argument == "--lang" else ""
        if value in LANGUAGES:
            return value
    return locale_language()


def main() -> None:
    """Run the command line and exit with its code."""
    set_language(asked_language(sys.argv[1:]))
    from weitiao.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
