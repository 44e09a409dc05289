"""Personal data out of any text: what looks like it gives way to a placeholder."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address

from server_tracking.patterns import pattern_from

__all__ = ["CACHED", "CONTROLS", "MARGIN", "scrubbed_text", "without_personal_data"]

CACHED = 200  # longest string to remember
# The longest thing that a cut may halve: a mail address (RFC 5321 section 4.5.3.1).
MARGIN = 256
_PASSES = 8


def scrubbed_text(text: str, limit: int) -> str:
    """Take personal data and control characters out of *text*; cut it to *limit*."""
    # Markup is more than what systems can write; of Django's, str() makes the same.
    text = str.__str__(str(text))
    if not text.isprintable():
        text = CONTROLS.sub("", _BREAKS.sub(" ", text))
    clean = without_personal_data(text) if len(text) <= limit else text
    return clean if len(clean) <= limit else _cut(clean, limit)


def _cut(text: str, limit: int) -> str:
    """Scrub and cut so that nothing personal is left of what the cut halves."""
    head = text[: limit + MARGIN]
    clean = without_personal_data(head)
    if len(head) < len(text):
        clean = clean[:-MARGIN]
    clean = clean[:limit]
    # What is left of a cut may look like something else: 16 of 20 digits.
    while (again := without_personal_data(clean)[:limit]) != clean:
        clean = again
    return clean


def without_personal_data(text: str) -> str:
    """Replace what looks personal in *text*, of any length."""
    if not _SUSPECT.search(text):
        return text
    return _replaced(text) if len(text) <= CACHED else _replaced.__wrapped__(text)


@lru_cache(maxsize=1024)
def _replaced(text: str) -> str:
    # A placeholder is a border where there was none: a@b.de1c@d.de.
    for _ in range(_PASSES):
        before, text = text, _replaced_once(text)
        if text == before:
            break
    return text


def _replaced_once(text: str) -> str:
    if "eyJ" in text:
        text = _JWT.sub("[token]", text)
    if "@" in text or "%" in text:
        text = _MAIL.sub(_mail, _USERINFO.sub("", text))
    text = _without_ibans(text)
    text = _TOKEN.sub(_token, text)
    text = _CARD.sub(_card, text)
    if "+" in text:
        text = _PHONE.sub("[phone]", text)
    if text.count(":") >= 2:
        text = _IPV6.sub(_ipv6, text)
    if text.count(".") >= 3:
        text = _IPV4.sub("[ip]", text)
    return text


CONTROLS = pattern_from("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_BREAKS = pattern_from("[\t-\r\x85\u2028\u2029]+")
# Nothing of what follows does without one of these. Every text is searched.
_SUSPECT = re.compile("[0-9@%+]|eyJ")

# Each pattern begins where its first character cannot have been part of it before, so
# that no text is read more than a few times over.
_JWT = pattern_from(r"(?<![\w-])eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)*")
_USERINFO = pattern_from(r"(?<=://)[^\s/?#]+@")
_MAIL = pattern_from(
    r"(?<![\w.+%-])[\w.+%-]+(?:@|%(?:25)*40)(?!v?[0-9]+\.[0-9]+\.[0-9])"
    r"((?:[\w-]+\.)+)([^\W\d_]{2,24})"
)
_SCALE = pattern_from(r"[0-9]+(?:\.[0-9]+)?x\.")
_FILES = pattern_from(
    "(?i)(?:apng|avif|bmp|eot|gif|heic|ico|jpe?g|jxl|otf|png|svg|tiff?|ttf|webp|woff)"
)
_TOKEN = pattern_from(r"(?<![A-Za-z0-9_+-])[A-Za-z0-9_+-]{32,}={0,2}")
_UUID = pattern_from(r"(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_WORD = pattern_from(r"[A-Za-z0-9]{8,}")
_MIXED = pattern_from(r"[A-Za-z][0-9]+(?=[A-Za-z])|[0-9][A-Za-z]+(?=[0-9])")
_CARD = pattern_from(
    r"(?<![0-9])(?:[0-9]{14,19}|[0-9]{4}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{4}"
    r"|[0-9]{4}([ -])[0-9]{6}\2[0-9]{4,5})(?![0-9])"
)
# Visa, Mastercard, American Express, Diners, Discover and UnionPay, JCB. Visa's old 13
# digits would take every tenth German article number (EAN 40 to 44).
_ISSUER = pattern_from(
    r"4.{15}(?:...)?|(?:5[1-5]..|222[1-9]|22[3-9].|2[3-6]..|27[01].|2720).{12}"
    r"|3[47].{13}|3(?:0[0-59].|[689]..).{10}"
    r"|(?:6011|64[4-9].|6[25]..).{12}(?:...)?|35(?:2[89]|[3-8].).{12}"
)
_PHONE = pattern_from(r"(?<![\w+])\+[1-9](?:[ ().\-/]{0,2}[0-9]){7,14}(?![0-9])")
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_IPV4 = pattern_from(rf"(?<![\w.])(?:{_OCTET}\.){{3}}{_OCTET}(?!\w|\.\w)")
_IPV6 = pattern_from(r"(?<![\w:.])(?=[0-9A-Fa-f]{0,4}:)[0-9A-Fa-f:.]{2,45}(?!\w)")
_DIGIT = pattern_from("[0-9]")
_IBAN_HEAD = pattern_from(r"(?<![A-Za-z0-9])([A-Za-z]{2})[0-9]{2}")
# Lengths by country (SWIFT IBAN registry).
_IBAN_SIZES = """
    AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24
    DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27
    GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20
    LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24
    PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25
    SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30
"""
_IBAN_LENGTHS = {size[:2]: int(size[2:]) for size in _IBAN_SIZES.split()}


def _mail(match: re.Match[str]) -> str:
    domain, ending = match.groups()
    # icon@2x.png is a file; max@example.com.png is one named after a person.
    if _FILES.fullmatch(ending) and (domain.count(".") == 1 or _SCALE.match(domain)):
        return match[0]
    return "[email]"


def _token(match: re.Match[str]) -> str:
    """Tell random characters from the words of a title: by digits among letters."""
    words = _WORD.findall(_UUID.sub("", match[0]))
    long = any(len(word) >= 16 and _MIXED.search(word) for word in words)
    if long or sum(len(_MIXED.findall(word)) for word in words) >= 2:
        return "[token]"
    return match[0]


def _card(match: re.Match[str]) -> str:
    number = match[0].replace(" ", "").replace("-", "")
    if not _ISSUER.fullmatch(number):
        return match[0]
    digits = [int(digit) for digit in reversed(number)]
    # Luhn's sum (ISO/IEC 7812-1 annex B): of each doubled digit, both digits count.
    total = sum(digits[::2]) + sum(sum(divmod(2 * d, 10)) for d in digits[1::2])
    return match[0] if total % 10 else "[card]"


def _without_ibans(text: str) -> str:
    pieces, at = [], 0
    for head in _IBAN_HEAD.finditer(text):
        length = _IBAN_LENGTHS.get(head[1].upper())
        if length is None or head.start() < at:
            continue
        found = _iban_pattern(length).match(text, head.start())
        if found is not None and _passes_mod_97(found[0]):
            pieces += [text[at : found.start()], "[iban]"]
            at = found.end()
    return "".join([*pieces, text[at:]]) if pieces else text


@lru_cache(maxsize=32)
def _iban_pattern(length: int) -> re.Pattern[str]:
    return re.compile(rf"(?:[ -]?[A-Za-z0-9]){{{length}}}(?![A-Za-z0-9])")


def _passes_mod_97(iban: str) -> bool:
    """Check an IBAN (ISO 13616-1): its head goes last, letters count from 10."""
    characters = iban.replace(" ", "").replace("-", "")
    rotated = characters[4:] + characters[:4]
    return int("".join(str(int(c, 36)) for c in rotated)) % 97 == 1


def _ipv6(match: re.Match[str]) -> str:
    text = match[0]
    for candidate in (text, text.rstrip(".:")):
        # A time has two colons, and C++ writes dad::bed.
        if ("::" in candidate or candidate.count(":") >= 6) and _DIGIT.search(
            candidate
        ):
            try:
                IPv6Address(candidate)
            except AddressValueError:
                continue
            return "[ip]" + text[len(candidate) :]
    return text
