"""Whose address counts, and what of it is told."""

import ipaddress
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from server_tracking.addresses import anonymized, proxy_trust_from, visitor_address
from server_tracking.errors import ConfigurationError


def trust(*proxies, hops=0, header="X-Forwarded-For", unix=False):
    return proxy_trust_from(proxies, hops, header, unix)


NOBODY = trust()
PRIVATE = trust("private")
ONE_HOP = trust(hops=1)
TWO_HOPS = trust(hops=2)
FORWARDED = trust("private", header="Forwarded")
REAL_IP = trust("private", header="X-Real-IP")


# --- the anonymous form --------------------------------------------------------------

CUT = [
    ("203.0.113.77", "203.0.113.0"),
    (" 203.0.113.77\t", "203.0.113.0"),
    ("203.0.113.77:4711", "203.0.113.0"),
    ('"203.0.113.77"', "203.0.113.0"),
    ("10.1.2.3", "10.1.2.0"),  # private addresses are cut as any
    ("0.1.2.3", None),  # "this network", RFC 1122 section 3.2.1.3
    ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
    ("2001:DB8:1::", "2001:db8:1::"),
    ("[2001:db8:1:2:3:4:5:6]", "2001:db8:1::"),
    ("[2001:db8:1:2:3:4:5:6]:443", "2001:db8:1::"),
    ('"[2001:db8:1:2::7]:_hidden"', "2001:db8:1::"),
    ("2001:db8:1::7%eth0", "2001:db8:1::"),
    ("[2001:db8:1::7%25eth0]:80", "2001:db8:1::"),
    ("2001:db8:1::%evil\r\nX: y", "2001:db8:1::"),
    # IPv4 in the clothes of IPv6
    ("::ffff:203.0.113.77", "203.0.113.0"),
    ("::FFFF:cb00:714d", "203.0.113.0"),
    ("[::ffff:203.0.113.77]:443", "203.0.113.0"),
    ("2002:cb00:714d::1", "203.0.113.0"),  # 6to4
    ("2001:0:4136:e378:8000:63bf:34ff:8eb2", "203.0.113.0"),  # Teredo: inverted
    ("64:ff9b::203.0.113.77", "203.0.113.0"),  # NAT64
    ("64:ff9b:1::1", "64:ff9b:1::"),  # NAT64 of one's own, RFC 8215
    ("::ffff:127.0.0.1", None),
    ("2002:7f00:1::", None),
    ("64:ff9b::", None),
    ("64:ff9b::1:203.0.113.77", None),  # beside the /96: nobody's
    # nothing of a visitor
    ("127.0.0.1", None),
    ("::1", None),
    ("0.0.0.0", None),
    ("::", None),
    ("169.254.1.2", None),
    ("fe80::1%eth0", None),
    # no addresses
    (None, None),
    ("", None),
    (" ", None),
    ("unknown", None),
    ("_hidden", None),
    ("localhost", None),
    ("unix:", None),
    ("for=203.0.113.77", None),
    ("198.51.100.9, 203.0.113.77", None),
    ("999.999.999.999", None),
    ("010.0.0.1", None),
    ("1.2.3", None),
    ("0x7f.1", None),
    ("3405803853", None),
    ("203.0.113.77%eth0", None),
    ("203.0.113.77/24", None),
    ("203.0.113.77:", None),
    ("203.0.113.77:4711:1", None),
    ("203.0.113.77:123456", None),
    ("203.0.113.77:80 x", None),
    ("[203.0.113.77]", None),
    ("[2001:db8::1", None),
    ("[2001:db8::1]x", None),
    ("[2001:db8::1]:", None),
    ("2001:db8::1]:80", None),
    ("1::2::3", None),
    ("2001:0db8:1:2:3:4:5:203.0.113.77", None),
    ("\u0662\u0660\u0663.0.113.77", None),
    ("203.0.113.77\0", None),
    ("\udcff", None),
    ("0" * 1_000_000, None),
]


@pytest.mark.parametrize(("address", "told"), CUT)
def test_an_address_is_cut_or_omitted(address, told):
    assert anonymized(address) == told


@given(st.integers(0, 2**32 - 1))
def test_ipv4_keeps_its_first_24_bits_and_nothing_else(number):
    address = ipaddress.IPv4Address(number)
    neighbour = ipaddress.IPv4Address(number ^ 0xFF)

    told = anonymized(str(address))

    assert anonymized(str(neighbour)) == told
    if told is None:
        assert number >> 24 in (0, 127, 169)
    else:
        assert int(ipaddress.IPv4Address(told)) == number & 0xFFFFFF00
        assert anonymized(told) == told


@given(st.integers(0, 2**128 - 1))
@example(0x0064FF9B << 96 | 1 << 64)
@example(0x2002 << 112)
@example(0x20010000 << 96)
@example(0xFFFF << 32)
def test_ipv6_keeps_its_first_48_bits_and_nothing_else(number):
    address = ipaddress.IPv6Address(number)

    told = anonymized(str(address))

    if told is None:
        assert (
            number >> 80 in (0, 0x0064FF9B0000)
            or number >> 118 == 0x3FA  # fe80::/10
            or number >> 112 == 0x2002  # of an IPv4 address that tells nothing
            or number >> 96 == 0x20010000
        )
    else:
        cut = ipaddress.ip_address(told)
        assert int(cut) & (0xFF if cut.version == 4 else 2**80 - 1) == 0
        assert anonymized(told) == told
        if cut.version == 6:
            assert int(cut) >> 80 == number >> 80
            assert anonymized(str(ipaddress.IPv6Address(number ^ 0xFFFF))) == told


# (address, its /24 or /48, its /16 or /32)
LEVELS = [
    ("203.0.113.77", "203.0.113.0", "203.0.0.0"),
    ("::ffff:203.0.113.77", "203.0.113.0", "203.0.0.0"),
    ("2002:cb00:714d::1", "203.0.113.0", "203.0.0.0"),
    ("2001:db8:1:2:3:4:5:6", "2001:db8:1::", "2001:db8::"),
    ("0:0:7::1", "0:0:7::", None),  # nothing is left of it
    ("64:ff9b:1::1", "64:ff9b:1::", None),  # reads as NAT64's own, of nobody
    ("127.0.0.1", None, None),
    ("unknown", None, None),
    (None, None, None),
]


@pytest.mark.parametrize(("address", "cut", "cut_more"), LEVELS)
def test_an_address_may_be_cut_further(address, cut, cut_more):
    assert anonymized(address) == cut
    assert anonymized(address, strict=True) == cut_more
    assert anonymized(cut, strict=True) == cut_more
    assert anonymized(cut_more, strict=True) == cut_more


WRAPPINGS = {
    "mapped": lambda n: 0xFFFF << 32 | n,
    "6to4": lambda n: 0x2002 << 112 | n << 80 | 0x1,
    "teredo": lambda n: 0x20010000 << 96 | 0x4136E378 << 64 | n ^ 0xFFFFFFFF,
    "nat64": lambda n: 0x0064FF9B << 96 | n,
}


@pytest.mark.parametrize("wrapped", WRAPPINGS.values(), ids=WRAPPINGS)
@given(number=st.integers(0, 2**32 - 1))
def test_a_wrapped_ipv4_address_is_told_as_the_plain_one(wrapped, number):
    plain = str(ipaddress.IPv4Address(number))
    v6 = str(ipaddress.IPv6Address(wrapped(number)))

    assert anonymized(v6) == anonymized(plain)
    assert visitor_address(v6, (), NOBODY) == visitor_address(plain, (), NOBODY)


@given(st.text(max_size=80))
def test_whatever_comes_nothing_but_an_address_is_told(text):
    for told in (anonymized(text), visitor_address(text, [text], PRIVATE)):
        assert told is None or str(ipaddress.ip_address(told)) == told


# --- behind proxies ------------------------------------------------------------------

# (peer, lines of X-Forwarded-For, trust, address)
BEHIND = [
    # The visitor 198.51.100.7 claims to be 6.6.6.6; one proxy, 10.0.0.2.
    ("10.0.0.2", ["6.6.6.6, 198.51.100.7"], PRIVATE, "198.51.100.7"),
    ("10.0.0.2", ["6.6.6.6, 198.51.100.7"], ONE_HOP, "198.51.100.7"),
    ("10.0.0.2", ["6.6.6.6, 198.51.100.7"], NOBODY, "10.0.0.2"),
    ("10.0.0.2", ["6.6.6.6, 198.51.100.7"], trust("10.0.0.2"), "198.51.100.7"),
    ("10.0.0.2", ["6.6.6.6, 198.51.100.7"], trust("10.0.0.3"), "10.0.0.2"),
    # A server has already put the visitor in the peer's place.
    ("198.51.100.7", ["6.6.6.6, 198.51.100.7"], PRIVATE, "198.51.100.7"),
    ("198.51.100.7", ["6.6.6.6, 198.51.100.7"], ONE_HOP, "198.51.100.7"),
    ("198.51.100.7", ["6.6.6.6, 198.51.100.7"], NOBODY, "198.51.100.7"),
    # The visitor comes directly, and lies.
    ("198.51.100.7", ["10.0.0.1"], PRIVATE, "198.51.100.7"),
    ("198.51.100.7", ["6.6.6.6"], NOBODY, "198.51.100.7"),
    # Two proxies, and an attempt to pass for the inner one.
    ("10.0.0.2", ["6.6.6.6, 198.51.100.7, 10.0.0.3"], PRIVATE, "198.51.100.7"),
    ("10.0.0.2", ["10.0.0.9, 198.51.100.7, 10.0.0.3"], PRIVATE, "198.51.100.7"),
    ("10.0.0.2", ["6.6.6.6, 198.51.100.7, 10.0.0.3"], TWO_HOPS, "198.51.100.7"),
    # Lines of one header are one list.
    ("10.0.0.2", ["6.6.6.6", "198.51.100.7"], PRIVATE, "198.51.100.7"),
    ("10.0.0.2", ["6.6.6.6", "198.51.100.7"], ONE_HOP, "198.51.100.7"),
    ("10.0.0.2", ["6.6.6.6", "198.51.100.7, 10.0.0.3"], TWO_HOPS, "198.51.100.7"),
    # Empty list elements count for nothing (RFC 9110 section 5.6.1.2).
    ("10.0.0.2", [", 198.51.100.7,,"], PRIVATE, "198.51.100.7"),
    ("10.0.0.2", ["", "198.51.100.7 , "], ONE_HOP, "198.51.100.7"),
    # All are ours: the first of them.
    ("10.0.0.2", ["10.0.0.9, 10.0.0.3"], PRIVATE, "10.0.0.9"),
    ("127.0.0.1", ["127.0.0.1"], PRIVATE, None),
    # Nothing there.
    ("10.0.0.2", [], PRIVATE, "10.0.0.2"),
    ("10.0.0.2", [""], PRIVATE, "10.0.0.2"),
    ("10.0.0.2", [], ONE_HOP, "10.0.0.2"),
    ("10.0.0.2", ["198.51.100.7"], TWO_HOPS, "10.0.0.2"),
    # What our own proxy wrote is no address.
    ("10.0.0.2", ["6.6.6.6, unknown"], PRIVATE, None),
    ("10.0.0.2", ["6.6.6.6, unknown"], ONE_HOP, None),
    ("10.0.0.2", ["6.6.6.6, unknown, 10.0.0.3"], PRIVATE, None),
    ("10.0.0.2", ["unknown, 198.51.100.7"], PRIVATE, "198.51.100.7"),
    # Quotes are no part of this header: an open one hides nothing.
    ("10.0.0.2", ['6.6.6.6, "x, 198.51.100.7'], PRIVATE, "198.51.100.7"),
    # Forms of one address.
    ("10.0.0.2:80", ["198.51.100.7:4711"], PRIVATE, "198.51.100.7"),
    ("[fd00::2]:80", ["[2001:db8::7]:4711"], PRIVATE, "2001:db8::7"),
    ("fd00::2%eth0", ["2001:db8::7"], PRIVATE, "2001:db8::7"),
    ("::ffff:10.0.0.2", ["::ffff:198.51.100.7"], PRIVATE, "198.51.100.7"),
    ("10.0.0.2", ["198.51.100.7"], trust("::ffff:10.0.0.0/104"), "198.51.100.7"),
    ("10.0.0.2", ["64:ff9b::198.51.100.7"], PRIVATE, "198.51.100.7"),
    ("fd00::2", ["198.51.100.7"], trust("fd00::/8"), "198.51.100.7"),
    # The same number in the other family is another address.
    ("::10.0.0.2", ["6.6.6.6"], trust("10.0.0.0/8"), None),
    # Whoever chooses such an address chooses what is in it: no way to be trusted.
    ("2002:a00:2::1", ["6.6.6.6"], PRIVATE, "10.0.0.2"),
    ("64:ff9b::10.0.0.2", ["6.6.6.6"], PRIVATE, "10.0.0.2"),
    ("10.0.0.3", ["6.6.6.6, 2002:a00:2::1"], PRIVATE, "10.0.0.2"),
    # No peer: a Unix socket. Waitress calls it localhost.
    (None, ["198.51.100.7"], PRIVATE, None),
    (None, ["198.51.100.7"], ONE_HOP, None),
    ("", ["198.51.100.7"], NOBODY, None),
    (None, ["6.6.6.6, 198.51.100.7"], trust(hops=1, unix=True), "198.51.100.7"),
    ("", ["6.6.6.6, 198.51.100.7"], trust("private", unix=True), "198.51.100.7"),
    ("localhost", ["198.51.100.7"], trust(hops=1, unix=True), "198.51.100.7"),
    (None, [], trust("private", unix=True), None),
    ("198.51.100.7", ["6.6.6.6"], trust("private", unix=True), "198.51.100.7"),
]


@pytest.mark.parametrize(("peer", "lines", "whom", "address"), BEHIND)
def test_the_visitor_is_found_behind_proxies(peer, lines, whom, address):
    assert visitor_address(peer, lines, whom) == address


@pytest.mark.parametrize("whom", [PRIVATE, ONE_HOP], ids=["proxies", "hops"])
@pytest.mark.parametrize("count", range(1, 41))
def test_nothing_left_of_the_trusted_entry_is_believed(whom, count):
    planted = ", ".join(f"6.6.6.{n}" for n in range(count))

    found = visitor_address("10.0.0.2", [f"{planted}, 198.51.100.7"], whom)

    # Beyond 32 entries the header is not read.
    assert found == ("198.51.100.7" if count < 32 else "10.0.0.2")


@given(st.lists(st.text('6.,:"\\;=for_ []%\t-', max_size=30), max_size=8))
@example(['for=6.6.6.6, for="x'])
@example(['for=6.6.6.6, for="\\'])
@example(['for=6.6.6.6, for="x\\"', 'for="'])
def test_no_planted_text_makes_an_earlier_entry_count(lines):
    for header, written in (
        ("X-Forwarded-For", "198.51.100.7, fd00::3"),
        ("Forwarded", 'for=198.51.100.7, for="[fd00::3]:80"'),
    ):
        appended = [*lines[:-1], ", ".join([*lines[-1:], written])]
        for whom in (trust("private", header=header), trust(hops=2, header=header)):
            found = visitor_address("10.0.0.2", appended, whom)
            assert found in ("198.51.100.7", None)


# (lines of Forwarded, address)
ELEMENTS = [
    (["for=198.51.100.7"], "198.51.100.7"),
    (["For=198.51.100.7"], "198.51.100.7"),
    (["FOR=198.51.100.7;Proto=https;By=10.0.0.2"], "198.51.100.7"),
    (["proto=https; for=198.51.100.7 ; host=example.com"], "198.51.100.7"),
    (['for="198.51.100.7:4711"'], "198.51.100.7"),
    (["for=198.51.100.7:4711"], "198.51.100.7"),
    (['for="[2001:db8::7]"'], "2001:db8::7"),
    (['for="[2001:db8::7]:4711"'], "2001:db8::7"),
    (['for="[2001:db8::7]:_port"'], "2001:db8::7"),
    (["for=[2001:db8::7]:4711"], "2001:db8::7"),  # without its quotes
    (['for="\\198.51.100.7"'], "198.51.100.7"),
    (["for=6.6.6.6, for=198.51.100.7"], "198.51.100.7"),
    (["for=6.6.6.6,for=198.51.100.7"], "198.51.100.7"),
    (["for=6.6.6.6", "for=198.51.100.7"], "198.51.100.7"),
    (["for=6.6.6.6, for=198.51.100.7, for=10.0.0.3"], "198.51.100.7"),
    (['for=6.6.6.6;host="a,for=5.5.5.5", for=198.51.100.7'], "198.51.100.7"),
    (['for=198.51.100.7;host="a,for=5.5.5.5;for=\\"4.4.4.4"'], "198.51.100.7"),
    ([", for=198.51.100.7, ,;"], "198.51.100.7"),
    (["for=6.6.6.6, for=unknown"], None),
    (["for=6.6.6.6, for=_hidden"], None),
    (["for=6.6.6.6, proto=https"], None),
    (["for=6.6.6.6;for=198.51.100.7"], None),  # twice in one element
    (['for=6.6.6.6, for="198.51.100.7'], None),  # malformed: nothing in it counts
    (['for=6.6.6.6, for="x, for=198.51.100.7'], None),
    (["for=6.6.6.6, 198.51.100.7"], None),
    (["for=6.6.6.6, for="], None),
    (["for = 198.51.100.7"], None),
    (["=198.51.100.7"], None),
    (["for=6.6.6.6, for=\r\n5.5.5.5"], None),
    ([], "10.0.0.2"),
    ([" , ;"], "10.0.0.2"),
]


@pytest.mark.parametrize(("lines", "address"), ELEMENTS)
def test_forwarded_is_read_as_rfc_7239_says(lines, address):
    assert visitor_address("10.0.0.2", lines, FORWARDED) == address


SINGLE = [
    (["198.51.100.7"], "198.51.100.7"),
    (["[2001:db8::7]:80"], "2001:db8::7"),
    (["6.6.6.6", "198.51.100.7"], None),  # nothing tells which is the proxy's
    (["6.6.6.6, 198.51.100.7"], None),
    (["unknown"], None),
    ([], "10.0.0.2"),
]


@pytest.mark.parametrize(("lines", "address"), SINGLE)
def test_a_header_of_one_value_holds_one(lines, address):
    assert visitor_address("10.0.0.2", lines, REAL_IP) == address
    assert visitor_address("198.51.100.1", lines, REAL_IP) == "198.51.100.1"


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded"])
@pytest.mark.parametrize(
    "piece", ["6.6.6.6, ", "for=6.6.6.6, ", 'for="', '\\"', " ", "for=a;", "\t,", "x"]
)
def test_a_huge_header_is_neither_read_nor_slow(header, piece):
    line = (piece * 10_000)[:10_000] + ", 198.51.100.7"
    whom = trust("private", header=header)

    begun = time.thread_time()
    found = visitor_address("10.0.0.2", [line], whom)
    short = visitor_address("10.0.0.2", [line[:4096]], whom)

    # CPU time, so that a busy machine does not count; the limit is 5 ms.
    assert time.thread_time() - begun < 0.05
    assert found == "10.0.0.2"
    assert short in ("10.0.0.2", None)


# --- the options ---------------------------------------------------------------------

WRONG = [
    ({"trusted_proxies": ("*",)}, "trusted_proxies"),
    ({"trusted_proxies": "*"}, "trusted_proxies"),
    ({"trusted_proxies": ("0.0.0.0/0",)}, "trusted_proxies"),
    ({"trusted_proxies": ("::/0",)}, "trusted_proxies"),
    ({"trusted_proxies": ("::ffff:0:0/96",)}, "trusted_proxies"),
    ({"trusted_proxies": ("10.0.0.1/8",)}, "trusted_proxies"),  # which of both?
    ({"trusted_proxies": ("fe80::1%eth0",)}, "trusted_proxies"),
    ({"trusted_proxies": ("proxy.example.com",)}, "trusted_proxies"),
    ({"trusted_proxies": ("Private",)}, "trusted_proxies"),
    ({"trusted_proxies": ("",)}, "trusted_proxies"),
    ({"trusted_hops": -1}, "trusted_hops"),
    ({"trusted_hops": 33}, "trusted_hops"),
    ({"trusted_proxies": ("private",), "trusted_hops": 1}, "trusted_hops"),
    ({"forwarded_header": ""}, "forwarded_header"),
    ({"forwarded_header": "X-Forwarded-For:"}, "forwarded_header"),
    ({"forwarded_header": "X Forwarded"}, "forwarded_header"),
    ({"forwarded_header": "X-Forwarded-For\n"}, "forwarded_header"),
    ({"trusted_hops": 1, "forwarded_header": "X-Real-IP"}, "forwarded_header"),
    ({"trusted_hops": 1, "forwarded_header": "cf-connecting-ip"}, "forwarded_header"),
    ({"trust_unix_socket": True}, "trust_unix_socket"),
]


@pytest.mark.parametrize(("options", "name"), WRONG)
def test_a_wrong_option_is_refused_by_its_name(options, name):
    given_options = {
        "trusted_proxies": (),
        "trusted_hops": 0,
        "forwarded_header": "X-Forwarded-For",
        "trust_unix_socket": False,
        **options,
    }

    with pytest.raises(ConfigurationError, match=f"'{name}'") as caught:
        proxy_trust_from(**given_options)

    assert caught.value.option == name


NUMBERS = st.sampled_from([0, 1, 9, 10, 99, 127, 169, 199, 200, 249, 254, 255, 256])


@given(st.lists(NUMBERS.map(str) | st.just("01"), min_size=3, max_size=5).map(".".join))
def test_an_address_in_quotes_is_read_as_the_bare_one(text):
    for strict in (False, True):
        bare = anonymized(text, strict=strict)

        assert anonymized(f'"{text}"', strict=strict) == bare


INSIDE = [
    ("private", "10.255.0.1", True),
    ("private", "172.31.255.255", True),
    ("private", "172.32.0.0", False),
    ("private", "192.168.7.7", True),
    ("private", "127.0.0.1", True),
    ("private", "fd12::1", True),
    ("private", "::1", True),
    ("private", "169.254.0.1", False),
    ("203.0.113.8", "203.0.113.8", True),
    ("203.0.113.8", "203.0.113.9", False),
    ("203.0.113.0/29", "203.0.113.7", True),
    ("203.0.113.0/29", "203.0.113.8", False),
    ("2001:db8::/32", "2001:db8:ffff::1", True),
    ("2001:db8::1", "2001:db8::2", False),
]


@pytest.mark.parametrize(("proxies", "peer", "inside"), INSIDE)
def test_networks_addresses_and_the_word_private_name_proxies(proxies, peer, inside):
    for names in ((proxies,), proxies):
        whom = proxy_trust_from(names, 0, "X-Forwarded-For", False)
        found = visitor_address(peer, ["198.51.100.7"], whom)

        assert (found == "198.51.100.7") is inside
