"""What splits, scripts and the row ledger's reasons are called, in the language in force. One table each, used when a sentence is made."""

from collections.abc import Sequence

from weitiao.messages import N_, _
from weitiao.quantities import some

NAMED = 10  # rows that a warning names
SPLITS = {"train": N_("train"), "validation": N_("validation"), "test": N_("test")}

SCRIPTS = {
    "Latin": N_("Latin"),
    "Greek": N_("Greek"),
    "Cyrillic": N_("Cyrillic"),
    "Armenian": N_("Armenian"),
    "Hebrew": N_("Hebrew"),
    "Arabic": N_("Arabic"),
    "Devanagari": N_("Devanagari"),
    "Bengali": N_("Bengali"),
    "Gurmukhi": N_("Gurmukhi"),
    "Gujarati": N_("Gujarati"),
    "Tamil": N_("Tamil"),
    "Telugu": N_("Telugu"),
    "Kannada": N_("Kannada"),
    "Malayalam": N_("Malayalam"),
    "Thai": N_("Thai"),
    "Lao": N_("Lao"),
    "Tibetan": N_("Tibetan"),
    "Myanmar": N_("Myanmar"),
    "Georgian": N_("Georgian"),
    "Hangul": N_("Hangul"),
    "Ethiopic": N_("Ethiopic"),
    "Khmer": N_("Khmer"),
    "Mongolian": N_("Mongolian"),
    "Hiragana": N_("Hiragana"),
    "Katakana": N_("Katakana"),
    "Han": N_("Han"),
}

HIDDEN = {  # by how words are found, see ``whole_words``
    "words": N_("whole words"),
    "jieba": N_("whole words, of Chinese those that jieba tells"),
    "characters": N_("whole words, of Chinese single characters, since jieba was not installed"),
}

ACTIONS = {"dropped": N_("dropped"), "truncated": N_("truncated"), "repaired": N_("repaired"), "kept": N_("kept as it is")}

REASONS = {
    "undecodable": N_("undecodable"),
    "broken_json": N_("broken JSON"),
    "not_an_object": N_("not an object"),
    "ragged_row": N_("ragged row"),
    "unclosed_quote": N_("unclosed quote"),
    "stray_quote": N_("stray quote"),
    "literal_quotes": N_("literal quotes"),
    "empty_extra_cells": N_("empty extra cells"),
    "cells_outside_table": N_("cells outside the table"),
    "half_character": N_("half a character"),
    "nul_character": N_("NUL character"),
    "bad_record": N_("bad record"),
    "exact_duplicate": N_("exact duplicate"),
    "near_duplicate": N_("near duplicate"),
    "control_characters": N_("control characters"),
    "markup": N_("mostly markup"),
    "markup_lines": N_("lines that were mostly markup"),
    "in_pieces": N_("too long, taken in pieces"),
    "other_sheets": N_("other sheets"),
    "empty_file": N_("file without rows"),
    "other_file": N_("file in a folder with another ending"),
    "linked_folder": N_("link to a folder"),
    "no_tokens": N_("no tokens"),
    "fills_no_block": N_("end of the stream, which fills no block"),
    "too_long": N_("too long"),
    "not_in_loss": N_("not in the loss"),
    "answer_in_no_window": N_("answer in no window"),
    "long_answer": N_("answer longer than any that is given"),
    "answer_start": N_("start of an answer"),
    "text_from_tokens": N_("text made of the tokens"),
    "utf16_offsets": N_("offsets in UTF-16"),
    "span_white_space": N_("white space around an entity"),
}
# (before the field's name, after it, what is said)
_OF_A_FIELD = (
    ("empty_", "", N_("empty: {field}")),
    ("missing_in_", "", N_("left out of a list: blank {field}")),
    ("missing_", "", N_("missing: {field}")),
    ("bad_", "", N_("not understood: {field}")),
    ("", "_whitespace", N_("white space around: {field}")),
)
_FIELDS = {
    "text": N_("text"),
    "pair": N_("second text"),
    "label": N_("label"),
    "score": N_("score"),
    "value": N_("value"),
    "question": N_("question"),
    "context": N_("context"),
    "answer": N_("answer"),
    "answers": N_("answers"),
    "options": N_("options"),
    "source": N_("source text"),
    "target": N_("target text"),
    "summary": N_("summary"),
    "messages": N_("messages"),
    "keywords": N_("keywords"),
    "spans": N_("entities"),
    "image": N_("image"),
}


def split_title(split: str) -> str:
    """What a split is called.

    >>> split_title("validation"), split_title("extra")
    ('validation', 'extra')
    """
    return _(SPLITS.get(split, split))


def script_title(script: str) -> str:
    """What a script is called, by its name in Unicode."""
    return _(SCRIPTS.get(script, script))


def hidden_title(segmenter: str) -> str:
    """What masked language modelling hides at a time, by how words are found; "" where nothing is hidden.

    >>> hidden_title("words"), hidden_title("")
    ('whole words', '')
    """
    return _(HIDDEN[segmenter]) if segmenter else ""


def action_title(action: str) -> str:
    """What was done to a row."""
    return _(ACTIONS.get(action, action))


def rows_line(file: str, what: str, rows: Sequence[int]) -> str:
    """A warning about the rows that stand in the ledger under an "action:reason": their count, and the first of them.

    >>> rows_line("a.csv", "dropped:ragged_row", [3, 8])
    'a.csv: dropped: ragged row, 2 rows: 3, 8.'
    """
    said = _("{file}: {what}, {count} rows: {rows}.")
    return said.format(file=file, what=reason_title(what), count=len(rows), rows=some(rows, NAMED))


def reason_title(reason: str) -> str:
    """What a reason of the row ledger is called, with or without "action:" before it.

    >>> reason_title("dropped:ragged_row"), reason_title("empty_text"), reason_title("dropped:in_test"), reason_title("of_my_own")
    ('dropped: ragged row', 'empty: text', 'dropped: also in test', 'of my own')
    """
    action, colon, code = reason.partition(":")
    if colon:
        return action_title(action) + _(": ") + reason_title(code)
    if reason in REASONS:
        return _(REASONS[reason])
    if reason.removeprefix("in_") in SPLITS:
        return _("also in {split}").format(split=split_title(reason.removeprefix("in_")))
    for before, after, said in _OF_A_FIELD:
        field = reason.removeprefix(before).removesuffix(after)
        if reason == before + field + after and field:
            return _(said).format(field=_(_FIELDS.get(field, field)))
    return reason.replace("_", " ")
