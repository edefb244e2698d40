"""The bundled sample: enough of it, all distinct, and readable by anything that reads CSV."""

import csv
import unicodedata
from collections import Counter
from itertools import combinations

import pytest

from weitiao import sample
from weitiao.errors import UsageError

LABELS = {"en": {"billing", "delivery", "returns", "technical"}, "zh": {"账单", "物流", "退换", "技术"}}


def rows(language: str) -> list[dict[str, str]]:
    with sample.path(language).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def grams(text: str, size: int = 5) -> set[str]:
    text = "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())
    return {text[i : i + size] for i in range(max(1, len(text) - size + 1))}


@pytest.mark.parametrize("language", LABELS)
def test_size_labels_and_balance(language: str) -> None:
    table = rows(language)
    assert len(table) >= 480
    assert list(table[0]) == ["text", "label"]
    counts = Counter(row["label"] for row in table)
    assert set(counts) == LABELS[language]
    assert max(counts.values()) < 1.3 * min(counts.values())


@pytest.mark.parametrize("language", LABELS)
def test_encoding_is_plain_utf8_with_unix_line_ends(language: str) -> None:
    raw = sample.path(language).read_bytes()
    assert not raw.startswith(b"\xef\xbb\xbf")
    assert b"\r" not in raw and b"\x00" not in raw
    assert raw.decode("utf-8").endswith("\n")


@pytest.mark.parametrize("language", LABELS)
def test_texts_are_clean_and_of_varied_length(language: str) -> None:
    texts = [row["text"] for row in rows(language)]
    assert all(text and text == text.strip() and "\n" not in text and text.isprintable() for text in texts)
    sizes = [len(text.split()) if language == "en" else len(text) for text in texts]
    assert min(sizes) <= 6 and max(sizes) >= 35


@pytest.mark.parametrize("language", LABELS)
def test_no_two_texts_are_alike(language: str) -> None:
    texts = [row["text"] for row in rows(language)]
    shingles = [grams(text) for text in texts]
    for (first, a), (second, b) in combinations(enumerate(shingles), 2):
        # The sizes alone rule most pairs out.
        if min(len(a), len(b)) > 0.8 * max(len(a), len(b)):
            assert len(a & b) <= 0.8 * len(a | b), (texts[first], texts[second])


@pytest.mark.parametrize("language", LABELS)
def test_its_readme_states_the_licence_and_the_counts(language: str) -> None:
    readme = sample.path(language).with_name("README.md").read_text(encoding="utf-8")
    assert "CC0-1.0" in readme
    assert f"| `messages_{language}.csv` | {len(rows(language))} |" in readme


def test_an_unknown_language_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="zh"):
        sample.path("fr")
