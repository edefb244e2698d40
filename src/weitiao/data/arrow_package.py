"""Whether Arrow is here: pyarrow takes more room than all else that an export answers with, so it is an extra. It knows no format."""

from importlib.util import find_spec

from weitiao.errors import MissingPackage
from weitiao.messages import _


def require_arrow(file: str) -> None:
    """Raises MissingPackage, with the command that installs it, where a Parquet, Arrow or Feather file cannot be read or written."""
    if find_spec("pyarrow") is None:
        message = _('{file} needs the package pyarrow, which is not installed. Type: pip install "weitiao[parquet]"')
        raise MissingPackage(message.format(file=file) + " " + _("CSV, TSV, JSON Lines and Excel files need nothing more."))
