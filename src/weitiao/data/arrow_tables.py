"""Parquet and Arrow files become tables of texts. It knows how typed values are spelled, not what they mean.

A column of whole numbers that was stored as floats, only because some cells are blank, is spelled as whole numbers: "1", never "1.0".
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weitiao.data.headers import column_names
from weitiao.data.table import TEXTS, Table
from weitiao.data.typed_values import damaged, spelled
from weitiao.errors import WeitiaoError
from weitiao.messages import _

TEXT = pa.large_string()  # its 64-bit offsets let one chunk hold more than 2 GiB of text
_BYTES = 1 << 26  # of one piece, so that long texts come in smaller pieces


def parquet_tables(path: Path, source: str, chunk_rows: int) -> Iterator[Table]:
    """A Parquet file in tables of at most ``chunk_rows``; rows are counted from 1. Raises DataError where it is cut off or damaged."""
    import pyarrow.parquet as pq

    def pieces(names: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        rows = chunk_rows
        if file.metadata.num_rows:
            size = sum(file.metadata.row_group(group).total_byte_size for group in range(file.metadata.num_row_groups))
            rows = max(1, min(chunk_rows, _BYTES * file.metadata.num_rows // max(1, size)))
        return file.iter_batches(batch_size=rows, columns=names)

    with _readable(source, _("a Parquet file")), pq.ParquetFile(path) as file:
        yield from arrow_tables(file.schema_arrow, pieces, source)


def arrow_file_tables(path: Path, source: str, chunk_rows: int) -> Iterator[Table]:
    """An Arrow (Feather version 2) file or stream in tables of at most ``chunk_rows``; rows are counted from 1. Raises DataError."""
    with path.open("rb") as file:
        is_file = file.read(6) == b"ARROW1"

    @contextmanager
    def opened() -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
        with pa.memory_map(str(path)) as memory:
            reader = pa.ipc.open_file(memory) if is_file else pa.ipc.open_stream(memory)
            batches = (reader.get_batch(i) for i in range(reader.num_record_batches)) if is_file else iter(reader)
            yield reader.schema, batches

    def pieces(names: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        with opened() as (_schema, batches):
            for batch in batches:
                rows = max(1, min(chunk_rows, _BYTES * len(batch) // max(1, batch.nbytes)))
                for start in range(0, len(batch), rows):
                    part = batch.slice(start, rows)
                    yield part if names is None else part.select(names)

    with _readable(source, _("an Arrow file")):
        with opened() as (schema, _batches):
            pass
        yield from arrow_tables(schema, pieces, source)


def arrow_tables(schema: pa.Schema, pieces: Callable[..., Iterable[pa.RecordBatch]], source: str) -> Iterator[Table]:
    """Tables of texts from typed record batches.

    Args:
        schema: the columns and their types.
        pieces: gives the batches from the beginning, all columns or those named.
        source: the file.
    """
    names = column_names(schema.names, source)
    floats = [field.name for field in schema if pa.types.is_floating(field.type)]
    fractional = _fractional(pieces(floats), floats) if floats else set()
    at, begun = 0, False
    for batch in pieces():
        # A damaged file can hold offsets that point anywhere and bytes that are no UTF-8; nothing below looks again.
        batch.validate(full=True)
        columns = {}
        for name, field, column in zip(names, schema, batch.columns, strict=True):
            texts = written(column, whole=field.name in floats and field.name not in fractional)
            columns[name] = np.array(texts.to_numpy(zero_copy_only=False), dtype=TEXTS)
        yield Table(columns, np.arange(at + 1, at + len(batch) + 1, dtype=np.int64), source)
        at, begun = at + len(batch), True
    if not begun:
        yield Table.of(names, [], [], source)


def written(column: pa.Array, *, whole: bool = False) -> pa.Array:
    """Typed values as texts; ``whole`` spells floats without a fraction.

    >>> written(pa.array([1.0, 0.5, None])).to_pylist(), written(pa.array([1.0, None]), whole=True).to_pylist()
    (['1.0', '0.5', None], ['1', None])
    >>> written(pa.array([True])).to_pylist(), written(pa.array([[1, 2]])).to_pylist()
    (['true'], ['[1, 2]'])
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        return written(column.dictionary_decode())
    if pa.types.is_null(kind):
        return pa.nulls(len(column), TEXT)
    if pa.types.is_floating(kind):
        column = pc.if_else(pc.is_nan(column), None, column)
        texts = column.cast(TEXT)
        bare = pc.match_substring_regex(texts, r"^-?\d+$")
        return texts if whole else pc.if_else(bare, pc.binary_join_element_wise(texts, pa.scalar("0", TEXT), pa.scalar(".", TEXT)), texts)
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return pa.array([spelled(value) for value in column.to_pylist()], type=TEXT)
    return column.cast(TEXT)


def _fractional(pieces: Iterable[pa.RecordBatch], names: list[str]) -> set[str]:
    """Which float columns hold anything but whole numbers and blanks."""
    found: set[str] = set()
    for batch in pieces:
        for name in names:
            if name not in found:
                values = batch.column(name).cast(pa.float64()).drop_null().to_numpy(zero_copy_only=False)
                values = values[~np.isnan(values)]
                # Beyond 2**53 every float is whole, and its digits would be invented.
                if not bool(np.all((values == np.floor(values)) & (np.abs(values) < 2**53))):
                    found.add(name)
    return found


@contextmanager
def _readable(source: str, kind: str) -> Iterator[None]:
    """Turns what Arrow says about a damaged file into a DataError."""
    try:
        yield
    except WeitiaoError:
        raise
    except Exception as error:  # Arrow's own errors, and whatever its damaged names and offsets lead to
        raise damaged(source, kind, error) from error
