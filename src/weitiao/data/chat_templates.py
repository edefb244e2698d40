"""A conversation becomes one text through a Jinja chat template, exactly as ``apply_chat_template`` writes it, without transformers.

Templates come from strangers' model folders, so they run in a sandbox that can change nothing. It knows messages and templates, no tokens.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from jinja2 import Template, nodes
from jinja2.exceptions import SecurityError, TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.runtime import Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

from weitiao.errors import DataError, ModelError
from weitiao.messages import _

Message = Mapping[str, str]

# For models that bring no template of their own: Alpaca's headings (Taori et al., 2023), without its preamble and with turns one after the
# other. It needs no token that a vocabulary may lack; an answer ends with the end-of-text token.
ALPACA = """\
{% for message in messages %}\
{% if message.role == 'system' %}{{ message.content + '\n\n' }}\
{% elif message.role == 'user' %}{{ '### Instruction:\n' + message.content + '\n\n' }}\
{% else %}{{ '### Response:\n' + message.content + eos_token + '\n\n' }}{% endif %}\
{% endfor %}\
{% if add_generation_prompt %}{{ '### Response:\n' }}{% endif %}"""


def render(template: str, messages: Sequence[Message], tokens: Mapping[str, str], *, prompt: bool = False) -> str:
    """The conversation as the template writes it.

    >>> talk = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    >>> render(ALPACA, talk, {"eos_token": "</s>"})
    '### Instruction:\\nHi\\n\\n### Response:\\nHello</s>\\n\\n'

    Args:
        template: Jinja source.
        messages: {"role", "content"} each.
        tokens: "bos_token", "eos_token", ... -> text: the special tokens that the template may write.
        prompt: end where the next answer begins (``add_generation_prompt``).

    Raises:
        DataError: the template refuses the conversation; one sentence with its own reason.
        ModelError: it is no valid template.
    """
    compiled = _compiled(template)
    copies = [dict(message) for message in messages]
    try:
        return compiled.render(messages=copies, tools=None, documents=None, add_generation_prompt=prompt, **tokens)
    except (TemplateError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        message = _("the model's chat template refuses this conversation ({roles}): {reason}.")
        roles = _(", ").join(message["role"] for message in messages)
        raise DataError(message.format(roles=roles, reason=str(error).rstrip("."))) from error


@lru_cache(maxsize=16)
def _compiled(template: str) -> Template:
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols])
    environment.filters["tojson"] = _tojson
    environment.globals |= {"raise_exception": _refuse, "strftime_now": _now, "dict": _Dict(), "namespace": _Names}
    try:
        return environment.from_string(template)
    except TemplateError as error:
        raise ModelError(_("This model's chat template is not valid Jinja: {reason}.").format(reason=error)) from error


class _Generation(Extension):
    """``{% generation %}`` marks what the model writes. Answers are found without it, so what stands inside is simply written."""

    tags = {"generation"}  # noqa: RUF012 - as Jinja declares it

    def parse(self, parser: Parser) -> nodes.Node:
        """The block, as a call that gives its own content."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_written"), [], [], body).set_lineno(line)

    def _written(self, caller: Macro) -> str:
        return str(caller())


class _Dict:
    """``dict`` as a template may use it: to make one, with no way to the type."""

    def __call__(self, *args: Any, **values: Any) -> dict[Any, Any]:
        return dict(*args, **values)

    def fromkeys(self, *args: Any) -> dict[Any, Any]:
        """As ``dict.fromkeys``."""
        return dict.fromkeys(*args)


class _Names(Namespace):
    """``namespace`` without names that begin with an underscore, which could lead out of the sandbox."""

    def __init__(*args: Any, **values: Any) -> None:  # ``self`` stays free as a name
        attributes = dict(*args[1:], **values)
        for name in attributes:
            _allow(name)
        Namespace.__init__(args[0], attributes)

    def __setitem__(self, name: str, value: Any) -> None:
        _allow(name)
        super().__setitem__(name, value)


def _allow(name: Any) -> None:
    if str(name).startswith("_"):
        raise SecurityError(_('a template may not use the name "{name}"').format(name=name))


def _refuse(message: str) -> None:
    raise TemplateError(message)


def _now(form: str) -> str:
    return datetime.now().strftime(form)


def _tojson(value: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False) -> str:
    # Jinja's own escapes what HTML would misread, and no model reads HTML entities.
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
