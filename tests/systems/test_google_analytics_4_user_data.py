"""What visitors have given of themselves, normalised and hashed for Google."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_tracking.systems.google_analytics_4 import user_data


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


MAILS = [
    (" Jane.Doe@Example.COM ", "jane.doe@example.com"),
    ("jane doe@example.com", "janedoe@example.com"),
    ("Jane.D.Doe@gmail.com", "janeddoe@gmail.com"),
    ("jane.doe@googlemail.com", "janedoe@googlemail.com"),
    ("jane+shop@gmail.com", "jane+shop@gmail.com"),  # Google does not say to cut it
    ("jane", None),
    ("@example.com", None),
    ("jane@", None),
    ("a@b@example.com", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "mail"), MAILS)
def test_mail_is_lower_case_without_spaces(text, mail):
    assert user_data.normalized_email(text) == mail


PHONES = [
    ("+1 (650) 555-0100", None, "+16505550100"),
    ("+49 (0)30 1234567", None, "+49301234567"),
    ("0049 30 1234567", None, "+49301234567"),
    ("030 1234567", "49", "+49301234567"),
    ("030 1234567", "+49", "+49301234567"),
    ("+44 20 7946 0958", "49", "+442079460958"),
    ("030 1234567", None, None),
    ("12345", "1", None),
    ("+1234567890123456", None, None),
    ("call me", "1", None),
]


@pytest.mark.parametrize(("text", "calling_code", "phone"), PHONES)
def test_phone_numbers_are_written_by_e164(text, calling_code, phone):
    assert user_data.normalized_phone(text, calling_code) == phone


NAMES = [
    (user_data.normalized_name, " Jörg-Peter 2. ", "jörgpeter"),
    (user_data.normalized_name, "New York", "new york"),
    (user_data.normalized_name, "42!", None),
    (user_data.normalized_street, " 12, King's Road ", "12 kings road"),
    (user_data.normalized_postal_code, " SW1A.1AA~ ", "SW1A1AA"),
    (user_data.normalized_postal_code, " . ", None),
]


@pytest.mark.parametrize(("normalized", "text", "written"), NAMES)
def test_names_and_places_lose_their_symbols(normalized, text, written):
    assert normalized(text) == written


def test_user_data_is_made_whole():
    made = user_data.user_data_from(
        emails=["Jane@Example.com", "nobody"],
        phones=["030 1234567"],
        addresses=[
            {
                "first_name": "Jane",
                "last_name": "Doe",
                "street": "Main St. 1",
                "city": "Berlin",
                "region": "Berlin",
                "postal_code": "10115",
                "country": "de",
            },
            {"country": "Germany"},
        ],
        calling_code="49",
    )

    assert made == {
        "sha256_email_address": [digest("jane@example.com")],
        "sha256_phone_number": [digest("+49301234567")],
        "address": [
            {
                "sha256_first_name": digest("jane"),
                "sha256_last_name": digest("doe"),
                "sha256_street": digest("main st 1"),
                "city": "berlin",
                "region": "berlin",
                "postal_code": "10115",
                "country": "DE",
            }
        ],
    }


def test_no_more_is_sent_than_google_reads():
    made = user_data.user_data_from(
        emails=[f"{n}@example.com" for n in range(5)],
        phones=[f"+4930123456{n}" for n in range(5)],
        addresses=[{"city": "A"}, {"city": "B"}, {"city": "C"}],
    )

    assert [len(values) for values in made.values()] == [3, 3, 2]


def test_nothing_given_is_nothing_sent():
    assert user_data.user_data_from() == {}


@given(st.text())
def test_no_text_is_too_odd(text):
    user_data.user_data_from(
        emails=[text + "@x.org"],
        phones=[text],
        addresses=[{"city": text, "street": text, "country": text}],
        calling_code="1",
    )
