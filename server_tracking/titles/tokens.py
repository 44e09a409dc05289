"""The rules of HTML's tokenizer that can hide a title, or fake one."""

from __future__ import annotations

import re
from functools import lru_cache

from server_tracking.patterns import pattern_from

__all__ = ["PLAIN_HEAD", "SPACE", "TAG_REST", "TITLE_END", "raw_title"]

_DEEPEST = 32
SPACE = rb"\t\n\f\r "
# Every repeat is possessive: no input makes a pattern go back over what it has read.
TAG_REST = (
    rb"(?:[%(s)s/]++"
    rb"|[^%(s)s/>][^%(s)s/>=]*+"
    rb"(?:[%(s)s]*+=[%(s)s]*+(?:\"[^\"]*+\"|'[^']*+'|[^%(s)s\"'>][^%(s)s>]*+|(?=>))"
    rb"|(?![%(s)s]*+=)))*+>"
) % {b"s": SPACE}
_NESTING = rb"(?i:template|svg|math)(?=[%s/>])" % SPACE
_RAW_TEXT = (
    rb"(?i:title|script|style|textarea|noscript|iframe|xmp|noembed|noframes|plaintext)"
    rb"(?=[%s/>])" % SPACE
)
# Text, tags that change nothing, and what is a comment though it does not look like it.
_PLAIN = pattern_from(
    rb"(?:[^<]++|<(?:/(?!%s)|(?!%s|%s))[a-zA-Z][^%s/>]*+%s|<(?![a-zA-Z/!?])"
    rb"|<(?:!(?!--|\[CDATA\[)|\?|/(?![a-zA-Z]))[^>]*+>)*+"
    % (_NESTING, _NESTING, _RAW_TEXT, SPACE, TAG_REST)
)
_SPECIAL = pattern_from(
    rb"<(?:(!--)|!\[CDATA\[|(?:(/?)(%s)|(%s))%s)" % (_NESTING, _RAW_TEXT, TAG_REST)
)
PLAIN_HEAD = pattern_from(
    rb"(?:[%s]++|<!(?i:doctype)[^>]*+>|</?(?i:html|head|meta|link|base)(?=[%s/>])%s)*+"
    rb"<(?i:title)>([^<]*+)</(?i:title)>" % (SPACE, SPACE, TAG_REST)
)
_COMMENT_END = pattern_from(rb"--!?>")
_SCRIPT_TOKEN = pattern_from(rb"(?i)(<!--(?!-?>))|(-->)|<(/?)script(?=[\t\n\f\r />])")
TITLE_END = pattern_from(rb"(?i)</title(?=[\t\n\f\r />])")


def raw_title(head: bytearray) -> bytes | None:
    """Find the content of the first title element; None if it is not (all) there."""
    hidden: list[bytes] = []  # open elements whose titles are not the page's
    at = 0
    while len(hidden) <= _DEEPEST:
        plain = _PLAIN.match(head, at)
        found = _SPECIAL.match(head, plain.end()) if plain else None
        if found is None:
            return None
        at = found.end()
        foreign = bool(hidden) and hidden[-1] != b"template"
        if found[3]:
            _nest(hidden, found)
        elif found[4]:
            if foreign:
                continue
            name = found[4].lower()
            end = _raw_text_end(head, name, at)
            if name == b"title" and end >= 0 and not hidden:
                return bytes(head[at:end])
            at = end
        elif found[1]:
            at = _comment_end(head, at)
        else:  # what only foreign elements know as CDATA is a comment elsewhere
            at = head.find(b"]]>" if foreign else b">", at)
        if at < 0:
            return None
    return None


def _nest(hidden: list[bytes], found: re.Match[bytes]) -> None:
    name = found[3].lower()
    if not found[2]:
        # Only foreign elements can close themselves.
        if name == b"template" or not found[0].endswith(b"/>"):
            hidden.append(name)
    elif name in hidden:
        while hidden.pop() != name:
            pass


def _comment_end(head: bytearray, at: int) -> int:
    """Find the end of the comment whose text begins at *at*; -1 if it is open."""
    if head.startswith((b">", b"->"), at):
        return at
    found = _COMMENT_END.search(head, at)
    return -1 if found is None else found.start()


def _raw_text_end(head: bytearray, name: bytes, at: int) -> int:
    """Find where the text of an element ends that holds no tags; -1 if open."""
    if name == b"plaintext":
        return -1
    found = _end_tag(name).search(head, at)
    end = -1 if found is None else found.start()
    if name != b"script" or head.find(b"<!--", at, end) < 0:
        return end
    # In a script's comment a script may stand (section 13.2.5.18 and following).
    in_comment = in_script = False
    for token in _SCRIPT_TOKEN.finditer(head, at):
        if token[1] or token[2]:
            in_comment, in_script = bool(token[1]), in_script and bool(token[1])
        elif not token[3]:
            in_script = in_comment
        elif not in_script:
            return token.start()
        else:
            in_script = False
    return -1


@lru_cache(maxsize=16)
def _end_tag(name: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"(?i)</%s(?=[%s/>])" % (name, SPACE))
