"""Titles: what a browser would show, from any pieces of any bytes, at a bounded cost."""

import gzip
import sys
import time
import tracemalloc
import zlib
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from server_tracking.exchange import Response
from server_tracking.titles import (
    HtmlTitleExtractor,
    TitleReader,
    codings,
    content_charset,
    title_from,
)


def read(*chunks, encoding=None, charset=None):
    reader = TitleReader(encoding, charset)
    for chunk in chunks:
        reader.feed(chunk)
    return reader.title


def bytewise(document, **how):
    return read(*(document[i : i + 1] for i in range(len(document))), **how)


# The HTML standard, section 13.2.5, says what hides a title and what does not.
DOCUMENTS = [
    (b"<title>Shop</title>", "Shop"),
    (b"<!doctype html><html><head><title>Shop</title></head>", "Shop"),
    (b"<TITLE>Shop</TITLE>", "Shop"),
    (b"<Title\n>Shop</tITLE\t>", "Shop"),
    (b'<title lang="en" data-x=1>Shop</title>', "Shop"),
    (b'<title data-x="a>b">Shop</title>', "Shop"),
    (b"<title data-x='<title>'>Shop</title >", "Shop"),
    (b"<title>Shop</title/>", "Shop"),
    (b"<title>First</title><title>Second</title>", "First"),
    (b"<p>No head<title>Late</title>", "Late"),
    (b"<body><div><title>In the body</title>", "In the body"),
    # White space and entities.
    (b"<title>\n  Red \t shoes\r\n</title>", "Red shoes"),
    (b"<title>Red&nbsp;shoes</title>", "Red shoes"),
    (b"<title>Tom &amp; Jerry &lt;3 &#8211; &#x201C;x&#x201D;</title>", "Tom & Jerry <3 – “x”"),  # noqa: RUF001
    (b"<title>AT&T &copy 2024 &unknown;</title>", "AT&T © 2024 &unknown;"),
    # Its content is text: tags and comments in it are shown.
    (b"<title>a <b>c</b> <!-- d --></title>", "a <b>c</b> <!-- d -->"),
    (b"<title>1 < 2 </ title> </titles></title>", "1 < 2 </ title> </titles>"),
    # None, empty, unclosed.
    (b"", None),
    (b"<p>Hello", None),
    (b"<title></title>", None),
    (b"<title> \n&#32;</title>", None),
    (b"<title></title><title>Second</title>", None),
    (b"<title>Shop", None),
    (b"<title>Shop</title", None),
    (b"<title>Shop</titlex>", None),
    (b"<title", None),
    (b"<title lang='", None),
    (b'<title lang="x>Shop</title>', None),
    (b"</title>", None),
    # Other elements.
    (b"<titles>x</titles><title>Shop</title>", "Shop"),
    (b"<title-bar>x</title-bar><title>Shop</title>", "Shop"),
    (b"< title>x</title><title>Shop</title>", "Shop"),
    # Comments.
    (b"<!-- <title>no</title> --><title>Shop</title>", "Shop"),
    (b"<!--><title>Shop</title>-->", "Shop"),
    (b"<!---><title>Shop</title>-->", "Shop"),
    (b"<!----><title>Shop</title>", "Shop"),
    (b"<!-- x --!><title>Shop</title>", "Shop"),
    (b"<!--!><title>no</title>--><title>Shop</title>", "Shop"),
    (b"<!-- > -> -- > <title>no</title> --><title>Shop</title>", "Shop"),
    (b"<!-- <title>no</title>", None),
    (b"<!--[if IE]><title>no</title><![endif]--><title>Shop</title>", "Shop"),
    (b"<![if !IE]><title>Shop</title><![endif]>", "Shop"),
    # What is a comment though it does not look like one: it ends at the next >.
    (b"<?xml version='1.0'?><title>Shop</title>", "Shop"),
    (b"<! <title>no</title>", None),
    (b"</ <title>no</title>", None),
    (b"</><title>Shop</title>", "Shop"),
    (b"<![CDATA[<title>no</title>]]><title>Shop</title>", "Shop"),
    # Attribute values.
    (b'<meta content="<title>no</title>"><title>Shop</title>', "Shop"),
    (b"<meta content='a > <title>no</title>'><title>Shop</title>", "Shop"),
    (b'<meta content = "<title>no</title>" /><title>Shop</title>', "Shop"),
    (b"<a title=it's><title>Shop</title>", "Shop"),
    (b'<a href=/?q="x"><title>Shop</title>', "Shop"),
    (b"<a b= ><title>Shop</title>", "Shop"),
    (b'<a b="c"d=\'e\'><title>Shop</title>', "Shop"),
    (b'<a title="><title>no</title>', None),
    # Elements whose content is text.
    (b"<script>x = '<title>no</title>'</script><title>Shop</title>", "Shop"),
    (b"<SCRIPT src=x></SCRIPT ><title>Shop</title>", "Shop"),
    (b"<script>if (a </scripts>) <title>no</title></script\n><title>Shop</title>", "Shop"),
    (b"<script><!-- <script> </script> <title>no</title> --></script><title>Shop</title>", "Shop"),
    (b"<script><!-- x </script><title>Shop</title>", "Shop"),
    (b"<script><!-- <script> --></script><title>Shop</title>", "Shop"),
    (b"<script><title>no</title>", None),
    (b"<style>a > b {} /*<title>no</title>*/</style><title>Shop</title>", "Shop"),
    (b"<textarea><title>no</title></textarea><title>Shop</title>", "Shop"),
    (b"<noscript><title>no</title></noscript><title>Shop</title>", "Shop"),
    (b"<iframe><title>no</title></iframe><title>Shop</title>", "Shop"),
    (b"<xmp><title>no</title></xmp><title>Shop</title>", "Shop"),
    (b"<noembed><title>no</title></noembed><title>Shop</title>", "Shop"),
    (b"<noframes><title>no</title></noframes><title>Shop</title>", "Shop"),
    (b"<plaintext><title>no</title>", None),
    (b"<style/><title>no</title></style><title>Shop</title>", "Shop"),
    # Templates and foreign elements.
    (b"<template><title>no</title></template><title>Shop</title>", "Shop"),
    (b"<template><template></template><title>no</title></template><title>Shop</title>", "Shop"),
    (b"<template><title>a</template>b</title></template><title>Shop</title>", "Shop"),
    (b"<svg><title>no</title></svg><title>Shop</title>", "Shop"),
    (b"<svg viewBox='0 0 1 1'><g><title>no</title></g></svg><title>Shop</title>", "Shop"),
    (b"<svg><svg></svg><title>no</title></svg><title>Shop</title>", "Shop"),
    (b"<svg><style><title>no</title></style></svg><title>Shop</title>", "Shop"),
    (b"<svg><![CDATA[</svg>]]><title>no</title></svg><title>Shop</title>", "Shop"),
    (b"<svg><!-- </svg> --><title>no</title></svg><title>Shop</title>", "Shop"),
    (b"<svg a='</svg>'><title>no</title></svg><title>Shop</title>", "Shop"),
    (b"<svg/><title>Shop</title>", "Shop"),
    (b"<SVG><TITLE>no</TITLE></SVG><title>Shop</title>", "Shop"),
    (b"<math><title>no</title></math><title>Shop</title>", "Shop"),
    (b"<svg><title>no</title>", None),
    (b"</svg></template><title>Shop</title>", "Shop"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "title"), DOCUMENTS)
def test_the_title_is_the_one_that_a_browser_shows(document, title):
    assert read(document) == title


@pytest.mark.parametrize(("document", "title"), DOCUMENTS)
def test_the_title_may_come_byte_by_byte(document, title):
    assert bytewise(document) == title


def test_reading_stops_at_the_end_of_the_title():
    reader = TitleReader(None, "utf-8")
    seen = []
    for chunk in (b"<ti", b"tle>Stre", b"amed</title>", b"rest"):
        reader.feed(chunk)
        seen.append(reader.done)

    assert seen == [False, False, True, True]
    assert reader.title == "Streamed"


def test_reading_stops_after_64_kib():
    reader = TitleReader()
    reader.feed(b"x" * 65_535)
    assert not reader.done
    reader.feed(b"x<title>Late</title>")

    assert reader.done
    assert reader.title is None


def test_a_title_that_ends_within_64_kib_is_found():
    end = b"<title>Late</title>"

    assert read(b"x" * (65_536 - len(end)) + end) == "Late"
    assert read(b"x" * (65_537 - len(end)) + end) is None


def test_a_long_title_is_cut():
    assert read(b"<title>" + b"a" * 60_000 + b"</title>") == "a" * 512


def test_what_is_in_a_comment_does_not_use_up_the_attempts():
    decoys = b"<!--</title>-->" * 50

    assert bytewise(decoys + b"<title>Shop</title>") == "Shop"


# Charsets: a byte order mark beats the header, the header the document.
CHARSETS = [
    ("<title>Zürich</title>".encode(), None, "Zürich"),
    ("<title>Zürich</title>".encode("cp1252"), None, "Zürich"),
    ("<title>Zürich</title>".encode(), "utf-8", "Zürich"),
    ("<title>Zürich</title>".encode("latin-1"), "utf-8", "Z\ufffdrich"),
    ("<title>Zürich</title>".encode("latin-1"), "ISO-8859-1", "Zürich"),
    ("<title>“10 €”</title>".encode("cp1252"), "latin1", "“10 €”"),
    ("<title>“10 €”</title>".encode("cp1252"), "us-ascii", "“10 €”"),
    ("<title>Привет</title>".encode("cp1251"), "windows-1251", "Привет"),
    ("<title>Привет</title>".encode("koi8-r"), "KOI8-R", "Привет"),
    ("<title>日本語</title>".encode("cp932"), "Shift_JIS", "日本語"),
    ("<title>日本語</title>".encode("cp932"), "x-sjis", "日本語"),
    ("<title>日本語</title>".encode("euc-jp"), "euc-jp", "日本語"),
    ("<title>日本語</title>".encode("iso2022_jp"), "iso-2022-jp", "日本語"),
    ("<title>中文</title>".encode("gb18030"), "gb2312", "中文"),
    ("<title>中文</title>".encode("big5"), "big5", "中文"),
    ("<title>한국어</title>".encode("cp949"), "euc-kr", "한국어"),
    ("<title>İstanbul</title>".encode("cp1254"), "iso-8859-9", "İstanbul"),
    ("<title>Zürich</title>".encode("utf-16-le"), "utf-16", "Zürich"),
    ("<title>Zürich</title>".encode("utf-16-be"), "utf-16be", "Zürich"),
    ("\ufeff<title>Zürich</title>".encode("utf-16-le"), None, "Zürich"),
    ("\ufeff<title>Zürich</title>".encode("utf-16-be"), "utf-8", "Zürich"),
    ("\ufeff<title>Zürich</title>".encode(), "latin1", "Zürich"),
    # What is no charset of the web counts as not declared.
    ("<title>Zürich</title>".encode(), "utf-7", "Zürich"),
    ("<title>Zürich</title>".encode(), "rot13", "Zürich"),
    ("<title>Zürich</title>".encode(), "hex", "Zürich"),
    ("<title>Zürich</title>".encode(), "nonsense", "Zürich"),
    ("<title>Zürich</title>".encode(), "\0", "Zürich"),
    ("<title>Zürich</title>".encode(), "ü", "Zürich"),
    # The document's own word, in its first 1024 bytes.
    ("<meta charset=windows-1251><title>Привет</title>".encode("cp1251"), None, "Привет"),
    ("<META CHARSET='windows-1251'/><title>Привет</title>".encode("cp1251"), None, "Привет"),
    ("<title>Привет</title><meta charset=windows-1251>".encode("cp1251"), None, "Привет"),
    ('<meta http-equiv="Content-Type" content="text/html; charset=koi8-r">'
     "<title>Привет</title>".encode("koi8-r"), None, "Привет"),
    ("<meta content='text/html; charset=koi8-r' http-equiv=content-type>"
     "<title>Привет</title>".encode("koi8-r"), None, "Привет"),
    ("<meta charset=koi8-r><title>Zürich</title>".encode(), "utf-8", "Zürich"),
    ("<meta charset=utf-16><title>Zürich</title>".encode(), None, "Zürich"),
    ("<meta charset=nonsense><meta charset=cp1251><title>Привет</title>".encode("cp1251"),
     None, "Привет"),
    ("<!--<meta charset=koi8-r>--><title>Zürich</title>".encode(), None, "Zürich"),
    ("<meta name=x content='charset=koi8-r'><title>Zürich</title>".encode(), None, "Zürich"),
    (b"<title>Z\xfcrich</title>" + b" " * 1024 + b"<meta charset=koi8-r>", None, "Zürich"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "charset", "title"), CHARSETS)
def test_bytes_are_read_as_a_browser_reads_them(document, charset, title):
    assert read(document, charset=charset) == title
    assert bytewise(document, charset=charset) == title


CONTENT_TYPES = [
    ("text/html; charset=utf-8", "utf-8"),
    ("text/html;charset=UTF-8", "utf-8"),
    ('text/html; Charset="ISO-8859-1"; x=y', "iso-8859-1"),
    ("text/html; x=y; charset = 'koi8-r'", "koi8-r"),
    ("text/html", None),
    ("text/html; charset=", None),
    ("text/html; xcharset=utf-8", None),
    ("", None),
]


@pytest.mark.parametrize(("content_type", "charset"), CONTENT_TYPES)
def test_the_charset_of_a_content_type_is_read(content_type, charset):
    assert content_charset(content_type) == charset


# Content codings.

PAGE = b"<!doctype html><title>Shop</title>" + b"<p>Hello</p>" * 9000


def raw_deflate(data):
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


def in_members(data):
    """Compress as Django's GZipMiddleware does with the pieces of a stream."""
    pieces = (data[:20], b"", data[20:])
    return b"".join(map(gzip.compress, pieces)) + bytes(8)


COMPRESSORS = [
    ("gzip", gzip.compress),
    ("gzip", in_members),
    ("x-gzip", gzip.compress),
    ("GZIP ", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", raw_deflate),
    ("identity", bytes),
    ("", bytes),
]


@pytest.mark.parametrize(("coding", "compress"), COMPRESSORS)
def test_a_compressed_page_has_the_same_title(coding, compress):
    assert read(compress(PAGE), encoding=coding) == "Shop"
    assert bytewise(compress(PAGE), encoding=coding) == "Shop"


@pytest.mark.parametrize("name", ["brotli", "brotlicffi"])
def test_a_page_is_read_through_brotli_where_it_is_installed(name, without_modules):
    brotli = pytest.importorskip(name)
    without_modules({"brotli", "brotlicffi"} - {name})

    assert read(brotli.compress(PAGE), encoding="br") == "Shop"
    assert bytewise(brotli.compress(PAGE), encoding="br") == "Shop"
    assert read(brotli.compress(b"x" * 50_000_000), encoding="br") is None
    assert read(b"no brotli at all", encoding="br") is None


ZSTANDARDS = [
    "zstandard",
    *(["compression.zstd"] if sys.version_info >= (3, 14) else []),
]


@pytest.mark.parametrize("name", ZSTANDARDS)
def test_a_page_is_read_through_zstandard_where_it_is_installed(name, without_modules):
    zstd = pytest.importorskip(name)
    without_modules({"compression.zstd", "zstandard"} - {name})

    assert read(zstd.compress(PAGE), encoding="zstd") == "Shop"
    assert bytewise(zstd.compress(PAGE), encoding="zstd") == "Shop"
    assert read(zstd.compress(b"x" * 50_000_000), encoding="zstd") is None
    assert read(b"no zstandard at all", encoding="zstd") is None


@pytest.fixture
def without_modules(monkeypatch):
    """Make modules impossible to import."""

    def without(names):
        for name in names:
            monkeypatch.setitem(sys.modules, name, None)
        codings._module.cache_clear()

    yield without
    codings._module.cache_clear()


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, gzip", "\0"])
def test_what_the_platform_cannot_decode_has_no_title(coding, without_modules):
    without_modules({"brotli", "brotlicffi", "compression.zstd", "zstandard"})
    reader = TitleReader(coding)

    assert reader.done
    reader.feed(PAGE)
    assert reader.title is None


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress, raw_deflate])
def test_a_decompression_bomb_is_not_unpacked(compress):
    coding = "gzip" if compress is gzip.compress else "deflate"
    reader = TitleReader(coding)
    bomb = compress(b"x" * 20_000_000)
    tracemalloc.start()
    reader.feed(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 500_000
    assert reader.title is None
    assert reader.done


@pytest.mark.parametrize(("coding", "compress"), COMPRESSORS[:5])
def test_a_broken_stream_ends_with_what_could_be_read(coding, compress):
    cut = compress(PAGE)

    assert read(b"\x1f\x8bnonsense" * 9, encoding=coding) is None
    assert read(cut[:200], b"\xff" * 50_000, encoding=coding) == "Shop"


# Properties.

PIECES = [
    b"<title>", b"</title>", b"<TITLE a='", b"</title ", b"'", b'"', b">", b"<", b"</",
    b"<!--", b"-->", b"--!>", b"->", b"<script>", b"</script>", b"<style>", b"</style>",
    b"<svg>", b"</svg>", b"<svg/>", b"<template>", b"</template>", b"<![CDATA[", b"]]>",
    b"<noscript>", b"</noscript>", b"<p a=b c = 'd'>", b"<meta charset=koi8-r>", b" ",
    b"text", b"&amp;", b"=", b"/", b"\xff\xfe", b"\xef\xbb\xbf", b"\xe9", b"\x00", b"?",
]  # fmt: skip
documents = st.lists(st.sampled_from(PIECES) | st.binary(max_size=4), max_size=30).map(
    b"".join
)


@given(documents, st.lists(st.integers(0, 200), max_size=6))
@example(b"<!-- --><title>\xe9</title><meta charset=koi8-r>", [5, 20, 30])
def test_any_cuts_give_the_same_title(document, cuts):
    ends = sorted({min(cut, len(document)) for cut in cuts} | {0, len(document)})
    pieces = [document[a:b] for a, b in pairwise(ends)]

    assert read(*pieces) == read(document)


@given(documents, st.sampled_from(COMPRESSORS[:5]), st.integers(1, 40))
def test_any_compressed_document_has_its_title(document, how, size):
    coding, compress = how
    packed = compress(document)
    pieces = [packed[i : i + size] for i in range(0, len(packed), size)]

    assert read(*pieces, encoding=coding) == read(document)


@given(
    st.lists(st.binary(max_size=60), max_size=8),
    st.sampled_from([None, "gzip", "deflate", "br", "zstd", "x", ""]),
    st.sampled_from([None, "utf-8", "utf-16", "iso-2022-jp", "nonsense", ""]),
)
def test_no_bytes_are_too_odd(chunks, encoding, charset):
    title = read(*chunks, encoding=encoding, charset=charset)

    assert title is None or 0 < len(title) <= 512


class Reading(HTMLParser):
    """The standard library's reading of the first title."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.state, self.text = "before", ""

    def handle_starttag(self, tag, attrs):
        if tag == "title" and self.state == "before":
            self.state = "in"

    def handle_endtag(self, tag):
        if tag == "title" and self.state == "in":
            self.state = "after"

    def handle_data(self, data):
        if self.state == "in":
            self.text += data

    @classmethod
    def title_of(cls, document):
        parser = cls()
        parser.feed(document)
        if parser.state != "after":
            return None
        return " ".join(parser.text.split())[:512].rstrip() or None


words = st.text("abc <&;#19äß=-'\"\n", max_size=12).map(
    lambda t: t.replace("<", "&lt;")
)
quoted = st.text("abc <>/='title", max_size=20).map(lambda t: t.replace("'", ""))
decoys = st.one_of(
    words,
    quoted.map(lambda t: f"<!-- {t} -->"),
    st.builds("<{0} {1}='{2}'>".format, st.sampled_from(["p", "a", "meta"]), st.just("x"), quoted),
    st.sampled_from(["</p>", "<br/>", "<!doctype html>", "<TITLES>", "</a >"]),
    quoted.map(lambda t: f"<script>{t}</script>"),
    quoted.map(lambda t: f"<style>{t}</style>"),
)  # fmt: skip


@settings(max_examples=150)
@given(st.lists(decoys, max_size=6), words, st.booleans())
def test_it_agrees_with_the_standard_library_on_plain_documents(before, text, closed):
    document = "".join(before) + f"<title>{text}" + "</title>" * closed + "<p>"

    assert read(document.encode(), charset="utf-8") == Reading.title_of(document)


# Costs. The bounds are some ten times what an idle machine needs.

HOSTILE = [
    b"<title " * 9362,
    b"<title " * 9000 + b"</title>",
    b"<title>" * 9362,
    b"</title>" * 8192,
    b"<!--" * 16_000 + b"</title>",
    b"<!--</title>" * 5400,
    b"<svg>" * 6500 + b"</math>" * 4000 + b"</title>",
    b'<p a="' * 9000 + b"</title>",
    b"<p a='" + b">" * 65_000 + b"</title>",
    b"<p " + b"a = " * 16_000 + b"</title>",
    b"<p a=" + b" " * 65_000 + b"</title>",
    b"<script><!--<script>" * 3200 + b"</title>",
    b"<script>x</script>" * 3600 + b"</title>",
    b"<" * 65_000 + b"</title>",
    b"<![CDATA[" * 7000 + b"</title>",
    b"<meta " * 170 + b"<title>\xe9</title>",
    b"<!--" * 250 + b"<title>\xe9</title>",
]


def seconds(step):
    began = time.thread_time()
    step()
    return time.thread_time() - began


@pytest.mark.parametrize("document", HOSTILE, ids=lambda d: repr(d[:12]))
def test_a_hostile_page_costs_little(document):
    assert min(seconds(lambda: read(document)) for _ in range(3)) < 0.2


@pytest.mark.parametrize("document", HOSTILE, ids=lambda d: repr(d[:12]))
def test_a_hostile_page_byte_by_byte_costs_little(document):
    # A second look at all that has come, for each byte, would take minutes.
    assert seconds(lambda: bytewise(document)) < 2


def test_a_page_that_opens_titles_and_closes_none_is_not_even_walked():
    document = b"<title " * 1168

    assert min(seconds(lambda: read(document)) for _ in range(20)) < 0.0002


def test_a_usual_page_costs_microseconds():
    page = (
        b'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        b'<meta name="viewport" content="width=device-width">'
        b'<link rel="stylesheet" href="/s.css"><title>A page</title>' + b"x" * 100_000
    )

    assert min(seconds(lambda: read(page, charset="utf-8")) for _ in range(50)) < 0.0002


# Responses and the chain of extractors.

HTML = [("Content-Type", "text/html; charset=utf-8")]
RESPONSES = [
    (Response(200, HTML, b"<title>Shop</title>"), "Shop"),
    (Response(200, HTML, [b"<title>Sh", b"op</title>", b"rest"]), "Shop"),
    (Response(200, HTML, (b"<title>Shop</title>",)), "Shop"),
    (Response(200, None, b"<title>Shop</title>"), "Shop"),
    (Response(200, [("content-type", "application/xhtml+xml")], b"<title>Shop</title>"), "Shop"),
    (Response(200, [("Content-Type", "text/html; charset=cp1251")],
              "<title>Привет</title>".encode("cp1251")), "Привет"),
    (Response(200, [*HTML, ("Content-Encoding", "gzip")], [gzip.compress(PAGE)]), "Shop"),
    (Response(200, [("Content-Type", "application/json")], b"<title>no</title>"), None),
    (Response(200, [("Content-Type", "text/htmlx")], b"<title>no</title>"), None),
    (Response(200, HTML, []), None),
    (Response(200, HTML, None), None),
    (Response(200, HTML, iter([b"<title>no</title>"])), None),
]  # fmt: skip


@pytest.mark.parametrize(("response", "title"), RESPONSES)
def test_the_title_of_a_response_in_memory_is_found(response, title):
    assert HtmlTitleExtractor().get_title(response) == title


def test_a_stream_is_left_alone():
    body = iter([b"<title>no</title>"])
    HtmlTitleExtractor().get_title(Response(200, HTML, body))

    assert next(body) == b"<title>no</title>"


class Fixed:
    """Always the same title."""

    def __init__(self, title):
        self.title = title

    def get_title(self, response, /):
        return self.title


def test_the_first_extractor_that_finds_a_title_wins():
    page = Response(200, HTML, b"<title>Shop</title>")
    chain = (Fixed(None), Fixed(""), HtmlTitleExtractor(), Fixed("other"))

    assert title_from(page, chain) == "Shop"
    assert title_from(page, ()) is None
