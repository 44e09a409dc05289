"""What the bytes of a page mean: declared by its header, by itself, or by a mark."""

from __future__ import annotations

import codecs
from functools import lru_cache

from server_tracking.patterns import pattern_from
from server_tracking.titles.tokens import SPACE, TAG_REST

__all__ = [
    "MARKS",
    "PRESCAN",
    "UNLIKE_ASCII",
    "codec_of",
    "content_charset",
    "declared_codec",
]

_CHARSET_PARAMETER = pattern_from(r"(?i);\s*charset\s*=\s*[\"']?([^\s\"';,]+)")
_META = pattern_from(
    rb"<!--(?s:.*?)(?:-->|\Z)|<(?i:meta)(?=[%s/])%s" % (SPACE, TAG_REST)
)
_ATTRIBUTE = pattern_from(rb"([^\s/>=\"']+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]+))")
_CHARSET_IN_CONTENT = pattern_from(rb"(?i)charset\s*=\s*[\"']?([^\s\"';]+)")
_LABEL = pattern_from(r"[a-z0-9_.:-]{1,40}")
PRESCAN = 1024  # where a charset may be declared (HTML standard, section 13.2.3.2)
MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
UNLIKE_ASCII = frozenset({"utf-16-le", "utf-16-be", "iso2022_jp"})
# Codecs with the labels that mean something else to browsers than to Python, or
# nothing to it (Encoding standard, section 4.2).
_ALIASES = """
cp1252 ascii us-ascii latin1 latin-1 l1 iso-8859-1 iso8859-1 iso88591 iso_8859-1 ibm819
cp1254 latin5 l5 iso-8859-9 iso8859-9 iso88599 iso_8859-9
cp874 iso-8859-11 iso8859-11 tis-620 windows-874
gb18030 gb2312 gbk gb_2312-80 gb_2312 chinese csgb2312
cp932 shift_jis shift-jis sjis ms_kanji ms932 windows-31j csshiftjis
cp949 euc-kr euckr korean ks_c_5601-1987 ksc5601 windows-949
big5hkscs big5 cn-big5 csbig5 big5-hkscs
utf-16-le utf-16 utf-16le unicode ucs-2
utf-8 utf8 unicode-1-1-utf-8
koi8-r koi koi8
koi8-u koi8-ru
mac-roman macintosh mac
mac-cyrillic mac-ukrainian
"""
_LABELS = {
    label: codec
    for codec, *labels in map(str.split, _ALIASES.strip().splitlines())
    for label in labels
}
_CODEC = pattern_from(
    r"utf-8|utf-16-[lb]e|cp(?:932|949|866|874|125[0-8])|iso8859-(?:[2-8]|1[03-6])"
    r"|koi8-[ru]|mac-(?:roman|cyrillic)|gb18030|big5hkscs|euc_jp|iso2022_jp"
)


@lru_cache(maxsize=64)
def content_charset(content_type: str) -> str | None:
    """Read the charset that a Content-Type declares, in lower case."""
    found = _CHARSET_PARAMETER.search(content_type)
    return found[1].lower() if found else None


@lru_cache(maxsize=64)
def codec_of(label: str) -> str | None:
    """Name the codec for a charset's *label* as browsers understand it."""
    label = label.strip().lower().removeprefix("x-")
    if not _LABEL.fullmatch(label):
        return None
    try:
        name = codecs.lookup(_LABELS.get(label, label)).name
    except LookupError:
        return None
    return name if _CODEC.fullmatch(name) else None


def declared_codec(head: bytearray) -> str | None:
    """Find the charset that a meta element in the first 1024 bytes declares."""
    for tag in _META.finditer(head[:PRESCAN]):
        if tag[0].startswith(b"<!"):
            continue
        attributes: dict[bytes, bytes] = {}
        for name, *values in _ATTRIBUTE.findall(tag[0]):
            attributes.setdefault(name.lower(), b"".join(values))
        label = attributes.get(b"charset")
        kind = attributes.get(b"http-equiv", b"").lower()
        if label is None and kind == b"content-type":
            found = _CHARSET_IN_CONTENT.search(attributes.get(b"content", b""))
            label = found[1] if found else None
        codec = codec_of(label.decode("ascii", "replace")) if label else None
        if codec is not None:
            # What could be read so far is no UTF-16 (section 13.2.3.2).
            return "utf-8" if codec.startswith("utf-16") else codec
    return None
