"""A model's vocabulary with words of its new field: which words, and what their vectors begin with. It knows tokenizers and networks, and
no run.
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from weitiao.data.language import has_spaces
from weitiao.data.systematic_sample import SystematicSample
from weitiao.data.whole_words import whole_words, word_segmenter
from weitiao.errors import DataError, UsageError
from weitiao.messages import _
from weitiao.observer import SILENT, Observer
from weitiao.quantities import some

if TYPE_CHECKING:
    from weitiao.engine.models import LoadedModel

COUNTED = 10_000_000  # characters in which words are counted, evenly from all texts
STRETCH = 2000  # characters that are counted together: a book has many stretches
LEAST = 3  # times that a word must occur


def words_to_add(wanted: str, texts: Iterable[str], tokenizer: Any, observer: Observer = SILENT) -> list[str]:
    """The words that ``--add-tokens`` asks for, without those that are one token already.

    Args:
        wanted: how many, of the most frequent that the tokenizer breaks up; or a file with one word a line.
        texts: to learn from, read to their end where words are counted; of more than ``COUNTED`` characters stretches at even distances.
        observer: is warned of words of the file that the tokenizer has no pieces for.

    Raises:
        UsageError: how many is 0.
        DataError: the file is missing or empty, or there are no such words.
    """
    if wanted.isdecimal():  # not isdigit: ² is a digit and no number
        if not int(wanted):
            raise UsageError(_("--add-tokens {count} adds none. Leave it out, or give a number, such as 500.").format(count=wanted))
        sample = SystematicSample(COUNTED, STRETCH)
        for text in texts:
            sample.add(text)
        segmenter, counts = word_segmenter(), Counter[str]()
        for text in sample.texts:
            counts.update(word for start, end in whole_words(text, segmenter) if (word := text[start:end]).isalpha() and len(word) > 1)
        order = (word for word, count in counts.most_common() if count >= LEAST)
        found = list(itertools.islice(dict.fromkeys(one for word in order if (one := _broken(word, tokenizer))), int(wanted)))
    else:
        try:
            lines = Path(wanted).read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            message = _("--add-tokens {file}: it is neither a number nor a file that can be read: {error}.")
            raise DataError(message.format(file=wanted, error=error)) from error
        words = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
        unspelled = [word for word in words if _unspelled(word, tokenizer)]
        found = list(dict.fromkeys(one for word in words if (one := _broken(word, tokenizer))))
        if unspelled:
            message = _(
                "--add-tokens {file}: the tokenizer knows no pieces of {count} of its words, so a vector for them has nothing to begin "
                "with. They are not added: {words}."
            )
            message = message.format(file=wanted, count=len(unspelled), words=some(unspelled, 5))
            if not found:
                raise DataError(message)
            observer.warn(message)
    if not found:
        message = _("--add-tokens {wanted}: the tokenizer breaks none of the words up, so there is none to add.")
        raise DataError(message.format(wanted=wanted))
    return found


def add_words(loaded: "LoadedModel", words: Sequence[str]) -> None:
    """Give a model's vocabulary these words. What it reads and writes them with begins as the mean of their old pieces."""
    from weitiao.engine.models import processor_for

    tokenizer, network = loaded.tokenizer, loaded.network
    pieces = [tokenizer(word, add_special_tokens=False)["input_ids"] for word in words]
    extend(tokenizer, words)
    loaded.processor = processor_for(tokenizer)
    network.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    output = network.get_output_embeddings()
    tables = [network.get_input_embeddings().weight, *([output.weight] if output is not None else [])]
    tables += [output.bias] if output is not None and getattr(output, "bias", None) is not None else []
    with torch.no_grad():
        for word, own in zip(words, pieces, strict=True):
            for table in {id(one): one for one in tables}.values():  # tied ones once
                table[tokenizer.convert_tokens_to_ids(word)] = table[own].mean(dim=0)


def extend(tokenizer: Any, words: Sequence[str]) -> None:
    """Give a tokenizer these words, each only where it stands by itself, or anywhere in a script that puts no spaces between words."""
    from tokenizers import AddedToken

    tokenizer.add_tokens([AddedToken(word, single_word=has_spaces([word]), normalized=True) for word in words])


def _broken(word: str, tokenizer: Any) -> str:
    """A word as the tokenizer reads it, "" where it is one token or unknown."""
    read = _read(word, tokenizer)
    pieces = tokenizer(read, add_special_tokens=False)["input_ids"]
    return read if len(pieces) > 1 and tokenizer.unk_token_id not in pieces else ""


def _unspelled(word: str, tokenizer: Any) -> bool:
    """Whether the tokenizer has no piece for some part of a word."""
    return tokenizer.unk_token_id is not None and tokenizer.unk_token_id in tokenizer(word, add_special_tokens=False)["input_ids"]


def _read(word: str, tokenizer: Any) -> str:
    """A word as it is normalised, without the blanks that BERT sets around Chinese characters: with them it would be found nowhere."""
    normalizer = tokenizer.backend_tokenizer.normalizer
    if normalizer is None:
        return word
    return " ".join("".join(normalizer.normalize_str(part).split()) for part in word.split())
