"""What a file is by its first bytes, whatever its name says. It opens nothing and knows no reader."""

from typing import NamedTuple

from weitiao.messages import N_


class Kind(NamedTuple):
    """What a file looks like.

    Attributes:
        code: "parquet", "arrow", "xlsx", "text" or, for what weitiao does not read, a word of its own.
        title: what people call it, marked for translation.
        cure: what to do about it, marked for translation.
    """

    code: str
    title: str
    cure: str = ""


TEXT = Kind("text", N_("text"))
BINARY = Kind("binary", N_("binary data"), N_("Give a CSV, TSV, JSON, JSON Lines, Parquet, Arrow or XLSX file."))
_PARQUET = Kind("parquet", N_("a Parquet file"), N_("Rename it to end in .parquet."))
_ARROW = Kind("arrow", N_("an Arrow file"), N_("Rename it to end in .arrow."))
_XLSX = Kind("xlsx", N_("an Excel workbook"), N_("Rename it to end in .xlsx."))
_ZIP = Kind("zip", N_("a ZIP archive"), N_("Unpack it and give the file inside."))
_PACKED = N_("Unpack it first.")
_TABLE = N_("A file with a table of texts is needed.")

# Longest and most telling first; a few bytes that would also begin an innocent text ("BM", "ID3") are left out.
_MAGIC: tuple[tuple[bytes, Kind], ...] = (
    (b"PAR1", _PARQUET),
    (b"ARROW1", _ARROW),
    (b"FEA1", Kind("feather1", N_("an old Feather (version 1) file"), N_("Write it again as Feather version 2, Parquet or CSV."))),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Kind("xls", N_("an old Excel workbook (.xls)"), N_("Save it as .xlsx or .csv."))),
    (b"\x1f\x8b", Kind("gzip", N_("a gzip archive"), _PACKED)),
    (b"\xfd7zXZ\x00", Kind("xz", N_("an xz archive"), _PACKED)),
    (b"BZh", Kind("bzip2", N_("a bzip2 archive"), _PACKED)),
    (b"\x28\xb5\x2f\xfd", Kind("zstd", N_("a Zstandard archive"), _PACKED)),
    (b"7z\xbc\xaf\x27\x1c", Kind("7z", N_("a 7-Zip archive"), _PACKED)),
    (b"Rar!\x1a\x07", Kind("rar", N_("a RAR archive"), _PACKED)),
    (b"\x89PNG\r\n\x1a\n", Kind("image", N_("a PNG image"), _TABLE)),
    (b"\xff\xd8\xff", Kind("image", N_("a JPEG image"), _TABLE)),
    (b"GIF87a", Kind("image", N_("a GIF image"), _TABLE)),
    (b"GIF89a", Kind("image", N_("a GIF image"), _TABLE)),
    (b"II*\x00", Kind("image", N_("a TIFF image"), _TABLE)),
    (b"MM\x00*", Kind("image", N_("a TIFF image"), _TABLE)),
    (b"%PDF-", Kind("pdf", N_("a PDF document"), _TABLE)),
    (b"SQLite format 3\x00", Kind("sqlite", N_("an SQLite database"), N_("Export the table as CSV."))),
    (b"\x7fELF", Kind("program", N_("a program"), _TABLE)),
    (b"\x89HDF\r\n\x1a\n", Kind("hdf5", N_("an HDF5 file"), N_("Export the table as CSV or Parquet."))),
    (b"version https://git-lfs.github.com/spec/", Kind("lfs", N_("a Git LFS pointer, not the data itself"), N_("Fetch it: git lfs pull"))),
)
_HTML = Kind("html", N_("a web page (HTML)"), N_("The download probably failed, or the table was saved as a page: get the file itself."))
_RIFF = {b"WEBP": Kind("image", N_("a WebP image"), _TABLE), b"WAVE": Kind("audio", N_("a sound file"), _TABLE)}
_PICKLE = Kind("pickle", N_("a Python pickle"), N_("Pickles can run code and are refused; export the table as CSV or Parquet."))


def looks_like(head: bytes) -> Kind:
    r"""What a file is by its first bytes, 4096 of them or all there are.

    >>> looks_like(b"PAR1...").code, looks_like(b"\x89PNG\r\n\x1a\n...").title, looks_like("文本,标签".encode()).code
    ('parquet', 'a PNG image', 'text')
    """
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head.startswith(b"PK\x03\x04"):
        # The first entries of a workbook are its own parts; a zip of anything else lists other names.
        return _XLSX if any(part in head for part in (b"[Content_Types].xml", b"xl/", b"_rels/.rels", b"docProps/")) else _ZIP
    if head.startswith(b"RIFF") and head[8:12] in _RIFF:
        return _RIFF[head[8:12]]
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return _PICKLE
    if head.startswith(b"\xff\xff\xff\xff"):
        return _ARROW  # a stream rather than a file: the continuation marker of its first message
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:15].lower().startswith((b"<!doctype html", b"<html")):
        return _HTML
    # Text in any encoding has few control characters. UTF-16 is full of NULs, which encodings.py looks at more closely.
    control = sum(1 for byte in head if byte < 32 and byte not in b"\0\t\n\r\f\v\x1a\x1b")
    return BINARY if control > max(1, len(head) // 50) else TEXT
