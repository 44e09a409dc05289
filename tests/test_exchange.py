"""The neutral view of a request, from WSGI and ASGI alike."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_tracking.exchange import (
    Request,
    Response,
    request_from_environ,
    request_from_scope,
)


def peer_as_address(peer, _lines):
    return peer


def environ(**changes):
    base = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "SERVER_NAME": "internal",
        "SERVER_PORT": "8000",
        "HTTP_HOST": "example.com",
        "REMOTE_ADDR": "203.0.113.7",
        "wsgi.url_scheme": "https",
    }
    return {k: v for k, v in {**base, **changes}.items() if v is not None}


def scope(headers=((b"host", b"example.com"),), **changes):
    base = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "raw_path": b"/",
        "root_path": "",
        "query_string": b"",
        "scheme": "https",
        "headers": list(headers),
        "server": ("internal", 8000),
        "client": ("203.0.113.7", 50000),
    }
    return {**base, **changes}


def wsgi(**changes):
    return request_from_environ(environ(**changes), peer_as_address)


def asgi(headers=((b"host", b"example.com"),), **changes):
    return request_from_scope(scope(headers, **changes), peer_as_address)


HOSTS = [
    # given, scheme, shown
    ("example.com", "https", "example.com"),
    ("EXAMPLE.com", "https", "example.com"),
    ("example.com:443", "https", "example.com"),
    ("example.com:80", "http", "example.com"),
    ("example.com:80", "https", "example.com:80"),
    ("example.com:", "https", "example.com"),
    ("example.com:8080", "http", "example.com:8080"),
    ("[2001:db8::1]", "https", "[2001:db8::1]"),
    ("[2001:db8::1]:443", "https", "[2001:db8::1]"),
    ("[2001:db8::1]:8000", "https", "[2001:db8::1]:8000"),
    ("xn--bcher-kva.example", "https", "xn--bcher-kva.example"),
]


@pytest.mark.parametrize(("given_host", "scheme", "shown"), HOSTS)
def test_the_host_is_shown_without_its_default_port(given_host, scheme, shown):
    by_wsgi = wsgi(HTTP_HOST=given_host, **{"wsgi.url_scheme": scheme})
    by_asgi = asgi([(b"host", given_host.encode())], scheme=scheme)

    assert by_wsgi.host == by_asgi.host == shown


@pytest.mark.parametrize(
    "malformed",
    [
        "user@example.com",
        "a b",
        "evil\r\nX: y",
        "<script>",
        "/",
        "a" * 300,
        "bücher.de",
    ],
)
def test_a_malformed_host_is_replaced_by_the_servers_own_name(malformed):
    assert wsgi(HTTP_HOST=malformed).host == "internal:8000"
    raw = [(b"host", malformed.encode("utf-8"))]
    assert asgi(raw).host == "internal:8000"


def test_a_missing_host_is_replaced_by_the_servers_own_name():
    assert wsgi(HTTP_HOST=None).host == "internal:8000"
    assert asgi([]).host == "internal:8000"
    assert asgi([], server=("::1", 443)).host == "[::1]"


def test_a_server_on_a_unix_socket_has_no_host_and_no_peer():
    request = asgi([], server=("/run/app.sock", None), client=None)

    assert (request.host, request.address) == (None, None)
    assert wsgi(HTTP_HOST=None, SERVER_NAME="", SERVER_PORT="").host is None
    assert wsgi(REMOTE_ADDR=None).address is None


def test_non_ascii_paths_are_decoded_alike():
    path = "/bücher/日本"
    by_wsgi = wsgi(PATH_INFO=path.encode().decode("latin-1"))

    assert by_wsgi.path == asgi(path=path).path == path


def test_bytes_that_are_no_utf8_do_not_lose_the_path():
    assert wsgi(PATH_INFO="/caf\xe9/x").path == "/caf�/x"


MOUNTS = [
    # root path, path as the server tells it, public path, path within
    ("", "/a", "/a", "/a"),
    ("/shop", "/shop/a", "/shop/a", "/a"),
    ("/shop/", "/shop/a", "/shop/a", "/a"),
    ("/shop", "/shop", "/shop", ""),
    # Servers before specification 2.4 leave root_path out of path.
    ("/shop", "/a", "/shop/a", "/a"),
    ("/shop", "/shopping", "/shop/shopping", "/shopping"),
]


@pytest.mark.parametrize(("root", "told", "public", "within"), MOUNTS)
def test_a_mounted_application_has_its_public_path(root, told, public, within):
    by_asgi = asgi(root_path=root, path=told)
    by_wsgi = wsgi(SCRIPT_NAME=root, PATH_INFO=within)

    assert (by_asgi.path, by_asgi.path_info) == (public, within)
    assert (by_wsgi.path, by_wsgi.path_info) == (public, within)


def test_headers_are_found_by_lower_case_name():
    by_wsgi = wsgi(HTTP_ACCEPT_LANGUAGE="de", CONTENT_TYPE="text/plain")
    by_asgi = asgi([(b"Accept-Language", b"de"), (b"content-type", b"text/plain")])

    for request in (by_wsgi, by_asgi):
        assert request.headers.get("accept-language") == "de"
        assert request.headers.get("content-type") == "text/plain"
        assert request.headers.get("x-absent") is None


def test_cookies_on_several_lines_are_joined():
    request = asgi([(b"cookie", b"a=1"), (b"cookie", b"b=2"), (b"accept", b"x")])

    assert request.headers.get("cookie") == "a=1; b=2"


@pytest.mark.parametrize("name", ["x-forwarded-for", "forwarded", "x-real-ip"])
def test_headers_that_name_an_address_are_not_shown(name):
    key = "HTTP_" + name.upper().replace("-", "_")

    assert wsgi(**{key: "198.51.100.9"}).headers.get(name) is None
    assert asgi([(name.encode(), b"198.51.100.9")]).headers.get(name) is None


def test_the_address_rule_sees_the_peer_and_every_line():
    seen = []

    def rule(peer, lines):
        seen.append((peer, list(lines("x-forwarded-for"))))
        return "anonymous"

    headers = [(b"x-forwarded-for", b"1.1.1.1"), (b"X-Forwarded-For", b"2.2.2.2")]
    assert request_from_scope(scope(headers), rule).address == "anonymous"
    request = request_from_environ(environ(HTTP_X_FORWARDED_FOR="1.1.1.1"), rule)
    assert len(seen) == 1  # not before it is asked for, and once
    assert request.address == request.address == "anonymous"
    assert seen == [
        ("203.0.113.7", ["1.1.1.1", "2.2.2.2"]),
        ("203.0.113.7", ["1.1.1.1"]),
    ]


def test_a_request_shows_neither_path_nor_query_in_its_repr():
    request = Request("GET", "/reset", host="example.com", query="token=secret")

    assert repr(request) == "<Request GET of example.com>"
    assert repr(Request("HEAD")) == "<Request HEAD of no host>"


def test_a_response_finds_headers_whatever_their_case():
    response = Response(200, [("Content-TYPE", "text/html"), ("X", "y")])

    assert response.header("content-type") == "text/html"
    assert response.header("absent") is None


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "HTTP_HOST",
                "PATH_INFO",
                "SCRIPT_NAME",
                "QUERY_STRING",
                "REMOTE_ADDR",
                "SERVER_NAME",
                "SERVER_PORT",
                "wsgi.url_scheme",
                "REQUEST_METHOD",
            ]
        ),
        st.text(max_size=40),
    )
)
def test_no_environ_is_too_odd(odd):
    request = request_from_environ(odd, peer_as_address)

    assert isinstance(request.path, str)


@given(
    path=st.text(max_size=40),
    root=st.text(max_size=20),
    query=st.binary(max_size=40),
    headers=st.lists(st.tuples(st.binary(max_size=20), st.binary(max_size=40))),
    server=st.none() | st.tuples(st.text(max_size=20), st.none() | st.integers()),
)
def test_no_scope_is_too_odd(path, root, query, headers, server):
    request = request_from_scope(
        scope(headers, path=path, root_path=root, query_string=query, server=server),
        peer_as_address,
    )

    assert request.path.endswith(request.path_info)
    request.headers.get("cookie")
