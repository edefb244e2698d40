"""How a hub is told a licence: by its own identifiers, and any other by name. It reads no model, and gives no advice.

The identifiers are those of huggingface.co/docs/hub/repositories-licenses; one that came later is told by name, which the hub takes too.
"""

import re
from collections.abc import Mapping
from typing import Any

IDENTIFIERS = frozenset(
    (
        *("afl-3.0", "agpl-3.0", "apache-2.0", "apple-amlr", "apple-ascl", "artistic-2.0", "bigcode-openrail-m"),
        *("bigscience-bloom-rail-1.0", "bigscience-openrail-m", "bsd", "bsd-2-clause", "bsd-3-clause", "bsd-3-clause-clear"),
        *("bsl-1.0", "c-uda", "cc", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-nc-2.0", "cc-by-nc-3.0"),
        *("cc-by-nc-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0"),
        *("cc-by-nd-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc0-1.0", "cdla-permissive-1.0", "cdla-permissive-2.0"),
        *("cdla-sharing-1.0", "creativeml-openrail-m", "deepfloyd-if-license", "ecl-2.0", "epl-1.0", "epl-2.0", "etalab-2.0"),
        *("eupl-1.1", "eupl-1.2", "gemma", "gfdl", "gpl", "gpl-2.0", "gpl-3.0", "h-research", "intel-research", "isc", "lgpl"),
        *("lgpl-2.1", "lgpl-3.0", "lgpl-lr", "llama2", "llama3", "llama3.1", "llama3.2", "llama3.3", "llama4", "lppl-1.3c", "mit"),
        *("mpl-2.0", "ms-pl", "ncsa", "odbl", "odc-by", "ofl-1.1", "openrail", "openrail++", "osl-3.0", "other", "pddl"),
        *("postgresql", "unknown", "unlicense", "wtfpl", "zlib"),
    )
)


NAMELESS = ("other", "unknown")  # which say that it has to be looked up


def license_of(record: Mapping[str, Any]) -> str | None:
    """The base model's license, which what is made from it inherits, if it is a plain name."""
    name = str((record.get("base_model") or {}).get("license") or "").lower()
    return name if re.fullmatch(r"[a-z0-9][a-z0-9.+-]*", name) else None


def told_to_a_hub(record: Mapping[str, Any]) -> dict[str, str]:
    """The same as a hub takes it in the head of a README.

    >>> told_to_a_hub({"base_model": {"license": "Apache-2.0"}}), told_to_a_hub({"base_model": {}})
    ({'license': 'apache-2.0'}, {})
    >>> told_to_a_hub({"base_model": {"license": "qwen-research"}})
    {'license': 'other', 'license_name': 'qwen-research'}
    """
    name = license_of(record)
    if name is None:
        return {}
    return {"license": name} if name in IDENTIFIERS else {"license": "other", "license_name": name}
