"""What people type for a quantity. How one is written stands in ``weitiao.quantities``."""

import re

from weitiao.errors import UsageError
from weitiao.messages import _

_SIZE = re.compile(r"\s*(\d+(?:[.,]\d+)?)\s*([kmgt])(i?)b\s*", re.IGNORECASE)


def bytes_of(text: str, flag: str) -> int:
    """Bytes, from a size as people type it: a number and kB, MB, GB, TB, or the units of 1024, KiB, MiB, GiB, TiB.

    >>> bytes_of("8GB", "--memory"), bytes_of("1.5 gib", "--memory")
    (8000000000, 1610612736)

    Raises:
        UsageError: anything else; it names the flag.
    """
    found = _SIZE.fullmatch(text)
    count = round(float(found[1].replace(",", ".")) * (1024 if found[3] else 1000) ** (1 + "kmgt".index(found[2].lower()))) if found else 0
    if not count:
        message = _('{flag} is "{text}"; it must be a number with its unit, such as 8GB, 8GiB or 8192MB.')
        raise UsageError(message.format(flag=flag, text=text))
    return count
