"""Which tokenizer a family of models has: asked for by the kind of spelling, by the family, or by both. It knows the table of
architectures, so that a tokenizer and a blank model of one family fit; it trains nothing.
"""

from dataclasses import dataclass

from weitiao.config import nearest
from weitiao.engine.architectures import ALIASES, ARCHITECTURES, Tokens
from weitiao.errors import UsageError
from weitiao.messages import _

AUTO = "auto"
# The family of each kind where none is named: the one that it became known by.
USUAL = {"wordpiece": "bert", "bpe": "llama", "byte-bpe": "roberta", "unigram": "t5", "char": "bert"}


@dataclass(frozen=True)
class Chosen:
    """A tokenizer that was chosen.

    Attributes:
        tokens: what it is.
        family: the name of the architecture that it is for.
        families: of all that have the same, that one first.
    """

    tokens: Tokens
    family: str
    families: list[str]


def choose(kind: str = AUTO, family: str = AUTO) -> Chosen:
    """The tokenizer of a kind and a family; "auto" leaves either to the other, and both to WordPiece for BERT.

    >>> choose("byte-bpe").families, choose(family="gpt2").tokens.model
    (['roberta', 'bart'], 'byte-bpe')

    Raises:
        UsageError: no such family; or none of its tokenizers is of that kind.
    """
    if family == AUTO:
        family = USUAL["wordpiece" if kind == AUTO else kind]
    wanted = ALIASES.get(family.lower(), family.lower())
    table = _table()
    if wanted not in table:
        message = _('There is no --family "{name}"; there are: {names}.').format(name=family, names=_(", ").join(table))
        raise UsageError(message + nearest(wanted, list(table)))
    fitting = [tokens for tokens in table[wanted] if kind in (AUTO, tokens.model)]
    if not fitting:
        message = _("--family {family} goes with --kind {kinds}, not with {kind}. Families of {kind}: {families}.")
        kinds = _(" or ").join(tokens.model for tokens in table[wanted])
        families = _(", ").join(name for name, all_ in table.items() if any(tokens.model == kind for tokens in all_))
        raise UsageError(message.format(family=family, kinds=kinds, kind=kind, families=families))
    alike = [name for name, all_ in table.items() if fitting[0] in all_ and name != wanted]
    return Chosen(fitting[0], wanted, [wanted, *alike])


def _table() -> dict[str, tuple[Tokens, ...]]:
    """The tokenizers of each family, its own first. What reads pictures too has its text tower's, which nobody trains alone."""
    return {name: (one.corpus_tokens, *one.others) for name, one in ARCHITECTURES.items() if not one.pictures}
