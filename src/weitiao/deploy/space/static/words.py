"""The page's words in both languages: what stands on it at once, and what it may have to say later. All are of the project's catalogue."""

from collections.abc import Callable
from typing import TypeVar

from weitiao.messages import LANGUAGES, _, speaking

T = TypeVar("T")


def in_both(make: Callable[[], T]) -> dict[str, T]:
    """What is made in each language: {"en": ..., "zh": ...}."""
    made = {}
    for language in LANGUAGES:
        with speaking(language):
            made[language] = make()
    return made


def said() -> dict[str, str]:
    """The texts under the names that the page's scripts have for them, in the language in force."""
    return {
        "private": _("The model runs in your browser. What you type never leaves this page."),
        "ask": _("Ask"),
        "examples": _("Examples"),
        "loading": _("Loading the model, once: your browser keeps it."),
        "reading": _("Reading the model …"),
        "of": _("{done} of {total}"),
        "hint": _("or Ctrl + Enter"),
        "took": _("{ms} ms, in your browser"),
        "cut": _("The text is longer than the model reads: its last {count} tokens were left out."),
        "nothing": _("nothing found"),
        "comma": _(", "),
        "similarity": _("Similarity"),
        "numbers": _("{count} numbers"),
        "a_vector": _("A vector of {count} numbers"),
        "all_labels": _("All {count} labels"),
        "empty": _("Please fill in the text first."),
        "too_long": _("The text has {given} characters; this page reads up to {most}."),
        "second_missing": _("This model compares two texts, and the second is missing."),
        "second_given": _("This model was trained on single texts, and a second text is given."),
        "no_labels": _("There is nothing to choose from. Name some labels, one a line."),
        "no_chinese": _("Chinese words are found with a dictionary that this page does not have. Please give a text without Chinese."),
        "file_missing": _("{file} could not be loaded ({reason}). Reload the page; if that does not help, its files are not complete."),
        "file_damaged": _(
            "{file} is not the file that belongs to this page, so no answer is made with it. Its owner should upload it again."
        ),
        "model_unread": _("The model could not be read in this browser: {reason}"),
        "worker_failed": _("The part of this page that runs the model could not be started. Update the browser. {reason}"),
        "failed": _("No answer could be computed: {reason}"),
    }
