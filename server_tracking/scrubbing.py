"""Personal data out of URLs, referrers, titles and other strings.

URLs are built anew from what may stay; in every piece of text that stays, what
looks like a mail address, a token, a card or account number, a phone number or an
IP address gives way to a placeholder that says what it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address
from urllib.parse import quote, unquote, unquote_plus

from server_tracking.exchange import public_host

__all__ = ["DEFAULT_KEEP", "scrubbed_referrer", "scrubbed_text", "scrubbed_url"]

DEFAULT_KEEP = frozenset(
    {
        "utm_source",
        "utm_medium",
        "utm_campaign",
        "utm_term",
        "utm_content",
        "utm_id",
        "ref",
        "source",
        "mtm_campaign",
        "mtm_source",
        "mtm_medium",
        "mtm_keyword",
        "mtm_kwd",
        "mtm_content",
        "mtm_cid",
        "mtm_group",
        "mtm_placement",
        "pk_campaign",
        "pk_kwd",
    }
)
"""Query parameters that say what brought the visitor, and nothing else of them."""

_URL_LIMIT = 2048
_QUERY_LIMIT = 8 * 1024  # raw; servers take no longer request line
_CACHED = 200  # longest string to remember
# The longest thing that a cut may halve: a mail address (RFC 5321 section 4.5.3.1).
_MARGIN = 256
_HALVED = 3 * _MARGIN  # the same, encoded
_LOOKED_AT = _URL_LIMIT + _HALVED
_PASSES = 8

Keep = frozenset[str] | str
"""Names of the query parameters to keep, or "all"."""


def scrubbed_url(scheme: str, host: str, path: str, query: str, *, keep: Keep) -> str:
    """Build the URL of a request from its decoded *path* and its raw *query*.

    *scheme* and *host* stay as they are; the rest is cut to 2048 characters in all.
    Parameters not in *keep* go; with "all", only the values of those with a telling
    name do.
    """
    # CPython 3.11: 0.7 µs for a path seen before, 1.8 for another plain one, some 12 for
    # one that has to be looked at; 1 more for a query, 1 to 4 for each parameter kept.
    short = len(path) <= _CACHED
    path = _path(path) if short else _path.__wrapped__(path)
    return _with_query(f"{scheme}://{host}", path, query, keep)


def scrubbed_referrer(
    referrer: str | None, own_host: str | None, *, keep: Keep
) -> str | None:
    """Build a Referer anew: the whole of it from *own_host*, else without a query.

    None for what is no web page or Android application.
    """
    found = _REFERRER.match(referrer) if referrer else None
    if found is None:
        return None
    scheme, name, path, query = found.groups()
    scheme = scheme.lower()
    host = _host(name, scheme)
    if host is None:
        return None
    short = len(path) <= _CACHED
    path = _raw_path(path) if short else _raw_path.__wrapped__(path)
    query = query if host == own_host and query else ""
    return _with_query(f"{scheme}://{host}", path, query, keep)


def scrubbed_text(text: str, limit: int) -> str:
    """Take personal data and control characters out of *text*; cut it to *limit*."""
    if not text.isprintable():
        text = _CONTROLS.sub("", _BREAKS.sub(" ", text))
    clean = _without_personal_data(text) if len(text) <= limit else text
    return clean if len(clean) <= limit else _cut(clean, limit)


# URLs.


@lru_cache(maxsize=1024)
def _path(path: str) -> str:
    """Write a decoded path."""
    if _PLAIN_PATH.fullmatch(path):
        return path
    clean = _path_of(path[:_LOOKED_AT].split("/"))
    return clean if len(path) <= _LOOKED_AT else _cut_path(clean, -_HALVED)


@lru_cache(maxsize=1024)
def _raw_path(path: str) -> str:
    """Write the path of a referrer, which is encoded already."""
    if _PLAIN_PATH.fullmatch(path):
        return path
    clean = _path_of(map(unquote, _undisguised(path[:_LOOKED_AT]).split("/")))
    return clean if len(path) <= _LOOKED_AT else _cut_path(clean, -_HALVED)


def _path_of(segments: Iterable[str]) -> str:
    """Join decoded *segments* to an encoded path."""
    parts = [_encoded(_without_sessions(part), _SAFE_IN_PATH) for part in segments]
    path = "/".join(parts)
    return path if path.startswith("/") else f"/{path}"


def _cut_path(path: str, end: int) -> str:
    """Cut an encoded *path* between characters, and look again at what is left."""
    length = max(end if end > 0 else len(path) + end, 1)
    while len(path) > length:
        path = _HALF_ESCAPE.sub("", path[:length])
        last = _ESCAPES.search(path)
        if last is not None:
            whole = quote(unquote(last[0], errors="ignore"))
            path = path[: last.start()] + whole
        path = _path_of(map(unquote, path.split("/")))
    return path


def _with_query(origin: str, path: str, query: str, keep: Keep) -> str:
    room = max(_URL_LIMIT - len(origin), 1)
    if len(path) > room:
        path = _cut_path(path, room)
    if not query:
        return origin + path
    room -= len(path)
    kept = []
    if len(query) > _QUERY_LIMIT:
        query = query[:_QUERY_LIMIT].rpartition("&")[0]
    for pair in _undisguised(query).split("&"):
        text = _kept(pair, keep)
        if text is not None and len(text) < room:
            kept.append(text)
            room -= len(text) + 1
    return f"{origin}{path}?{'&'.join(kept)}" if kept else origin + path


def _kept(pair: str, keep: Keep) -> str | None:
    """Write a parameter anew, or return None if it has to go."""
    name, equals, value = pair.partition("=")
    if "%" in name or "+" in name:
        name = unquote_plus(name)
    everything = keep == "all"
    if not (everything or name in keep or name.lower() in keep):
        return None
    if _PLAIN_PAIR.fullmatch(pair) and not everything:
        return pair
    name = _encoded(name, _SAFE_IN_QUERY)
    if everything and not name:
        return None
    if everything and equals and _is_telling(unquote(name)):
        return f"{name}=[redacted]"
    return f"{name}{equals}{_encoded(unquote_plus(value), _SAFE_IN_QUERY)}"


def _encoded(text: str, safe: str) -> str:
    """Scrub decoded *text*, and encode it for a URL; the placeholders stay readable."""
    if not text.isprintable():
        text = _CONTROLS.sub("", text)
    return quote(_scrubbed_deeply(text), safe=safe)


def _scrubbed_deeply(text: str) -> str:
    """Scrub *text*; where it is encoded once or twice more, look below that too."""
    below = text
    for _ in range(2):
        if "%" not in below:
            break
        below = _CONTROLS.sub("", unquote(below))
        clean = _without_personal_data(below)
        if clean != below:
            return _scrubbed_deeply(clean)
    return _without_personal_data(text)


def _without_sessions(segment: str) -> str:
    """Take parameters such as ``;jsessionid=`` out of a *segment* of a path."""
    if ";" not in segment:
        return segment
    return _MATRIX.sub(lambda m: "" if _is_telling(m[1]) else m[0], segment)


def _is_telling(name: str) -> bool:
    return _NO_WORD.sub("", name.lower()) in _TELLING


@lru_cache(maxsize=256)
def _host(name: str, scheme: str) -> str | None:
    name = _undisguised(name)
    if len(name) > 255:
        return None
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            return None
    return public_host(name, scheme)


def _undisguised(text: str) -> str:
    """Read as UTF-8 what PEP 3333 hands on as Latin-1, if it can be that."""
    if text.isascii():
        return text
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


# Segments that hold nothing but letters, or are too short to hold anything.
_PLAIN_PATH = re.compile(
    r"(?:/(?>[A-Za-z_~-]*+(?=/|\Z)|[0-9A-Za-z_~-]{0,13}(?:\.[a-z]{1,5})?(?=/|\Z)))++"
)
_PLAIN_PAIR = re.compile(r"[A-Za-z_]+=[A-Za-z_~-]*")
_REFERRER = re.compile(
    r"(?i)(https?|android-app)://(?:[^/?#]*@)?([^/?#]*)([^?#]*)(?:\?([^#]*))?"
)
_SAFE_IN_PATH = "[]!$&'()*+,;=:@~"
_SAFE_IN_QUERY = "[]!$'()*,;:@~/?"
_HALF_ESCAPE = re.compile(r"%[0-9A-F]?\Z")
_ESCAPES = re.compile(r"(?:%[89A-F][0-9A-F])+\Z")
_MATRIX = re.compile(r";([^][;=]*)=[^;]*")
_NO_WORD = re.compile(r"[^a-z0-9]")
# What a parameter must not be called for its value to leave: ids of sessions and
# clicks, secrets, and what people are asked for in forms; lower case, letters and
# digits alone.
_TELLING_NAMES = """
    accesskey accesstoken accountnumber actkey address addr apikey apisecret appsecret
    assertion aspsessionid auth authcode authenticity authenticitytoken authorization
    authtoken awsaccesskeyid bankaccount bearer bic birthdate birthday captcha cardno
    cardnumber cc ccnumber ccv cellphone cfid cftoken clientassertion clientsecret code
    confirmationtoken cookie credential credentials creditcard creditcardnumber csrf
    csrfmiddlewaretoken csrftoken cvc cvv dateofbirth dclid dob docode doingwpcron
    email emailaddress familyname fax faxnumber fbcommentid fbclid fbxdfragment
    firstname forename fullname gbraid gclid givenname hash hmac iban idnumber idtoken
    igshid invitetoken ipaddress jsessionid jwt key lastname lifatid login logintoken
    magiclink mail maiden mobile mobilenumber mobilephone msclkid nationalid nonce
    oauthtoken oauthverifier otp otptoken pass passcode passphrase passport
    passportnumber passwd password passwordconfirm passwordconfirmation phone
    phonenumber phpsessid pin pkvid postalcode privatekey pwd recoverytoken
    refreshtoken remoteaddr resetcode resetpasswordtoken resettoken samlart
    samlrequest samlresponse secret secretkey securitycode session sessionid
    sessionkey sessiontoken sid sig signature socialsecuritynumber ssn state
    streetaddress surname swift taxid tel telephone ticket token tokenauth totp ttclid
    twclid unsubscribetoken userid userlogin username usertoken vatid
    verificationcode verificationtoken verifier wbraid xamzcredential xamzsecuritytoken
    xamzsignature xcsrftoken xforwardedfor xgoogcredential xgoogsignature xsrftoken
    yclid zip zipcode
"""
_TELLING = frozenset(_TELLING_NAMES.split())


# Text.


def _cut(text: str, limit: int) -> str:
    """Scrub and cut so that nothing personal is left of what the cut halves."""
    head = text[: limit + _MARGIN]
    clean = _without_personal_data(head)
    if len(head) < len(text):
        clean = clean[:-_MARGIN]
    clean = clean[:limit]
    # What is left of a cut may look like something else: 16 of 20 digits.
    while (again := _without_personal_data(clean)[:limit]) != clean:
        clean = again
    return clean


def _without_personal_data(text: str) -> str:
    if not _SUSPECT.search(text):
        return text
    return _replaced(text) if len(text) <= _CACHED else _replaced.__wrapped__(text)


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


_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_BREAKS = re.compile("[\t-\r\x85\u2028\u2029]+")
# Nothing of what follows does without one of these.
_SUSPECT = re.compile("[0-9@%+]|eyJ")

# Each pattern begins where its first character cannot have been part of it before, so
# that no text is read more than a few times over.
_JWT = re.compile(r"(?<![\w-])eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)*")
_USERINFO = re.compile(r"(?<=://)[^\s/?#]+@")
_MAIL = re.compile(
    r"(?<![\w.+%-])[\w.+%-]+(?:@|%(?:25)*40)(?!v?[0-9]+\.[0-9]+\.[0-9])"
    r"((?:[\w-]+\.)+)([^\W\d_]{2,24})"
)
_SCALE = re.compile(r"[0-9]+(?:\.[0-9]+)?x\.")
_FILES = re.compile(
    "(?i)(?:apng|avif|bmp|eot|gif|heic|ico|jpe?g|jxl|otf|png|svg|tiff?|ttf|webp|woff)"
)
_TOKEN = re.compile(r"(?<![A-Za-z0-9_+-])[A-Za-z0-9_+-]{32,}={0,2}")
_UUID = re.compile(r"(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_WORD = re.compile(r"[A-Za-z0-9]{8,}")
_MIXED = re.compile(r"[A-Za-z][0-9]+(?=[A-Za-z])|[0-9][A-Za-z]+(?=[0-9])")
_CARD = re.compile(
    r"(?<![0-9])(?:[0-9]{14,19}|[0-9]{4}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{4}"
    r"|[0-9]{4}([ -])[0-9]{6}\2[0-9]{4,5})(?![0-9])"
)
# Visa, Mastercard, American Express, Diners, Discover and UnionPay, JCB. Visa's old 13
# digits would take every tenth German article number (EAN 40 to 44).
_ISSUER = re.compile(
    r"4.{15}(?:...)?|(?:5[1-5]..|222[1-9]|22[3-9].|2[3-6]..|27[01].|2720).{12}"
    r"|3[47].{13}|3(?:0[0-59].|[689]..).{10}"
    r"|(?:6011|64[4-9].|6[25]..).{12}(?:...)?|35(?:2[89]|[3-8].).{12}"
)
_PHONE = re.compile(r"(?<![\w+])\+[1-9](?:[ ().\-/]{0,2}[0-9]){7,14}(?![0-9])")
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_IPV4 = re.compile(rf"(?<![\w.])(?:{_OCTET}\.){{3}}{_OCTET}(?!\w|\.\w)")
_IPV6 = re.compile(r"(?<![\w:.])(?=[0-9A-Fa-f]{0,4}:)[0-9A-Fa-f:.]{2,45}(?!\w)")
_DIGIT = re.compile("[0-9]")
_IBAN_HEAD = re.compile(r"(?<![A-Za-z0-9])([A-Za-z]{2})[0-9]{2}")
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
