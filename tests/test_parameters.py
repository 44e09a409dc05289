"""The URL generator framework: as in version 1.0, and stricter where it was silent."""

import copy
import pickle
import re
import string
import sys
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_tracking.errors import ConfigurationError, InvalidParametersError
from server_tracking.exceptions import InvalidParametersException
from server_tracking.parameters import (
    UP,
    VP,
    EnumeratedUrlGenerator,
    PrefixUrlGenerator,
    UrlGenerator,
    UrlParameter,
    VariableParameter,
    query_from,
    wire_text,
    wire_texts,
)
from server_tracking.testing import SystemContract


class Song(UrlGenerator):
    title = UP("st", True, max_bytes=10)
    mood = UP("sm", values=("glad", "sad"))
    seconds = UP("ss", type="integer", minimum=1)
    loud = UP("sl", type="boolean")
    price = UP("sp", type="currency")
    tempo = UP("sb", type="number")


class LiveSong(Song):
    place = UP("lp", True)


class Tags(UrlGenerator):
    class Meta:
        abstract = True
        custom_prefix = "tag"
        indexes = range(1, 21)
        custom_parameter = UP("tag", max_bytes=5)


class MyTags(Tags):
    genre = VP(1)
    year = VP(20, True, "integer", 4)


class Disc(PrefixUrlGenerator):
    name = UP("n")

    class Meta:
        abstract = True
        preset_prefix = "disc"


class FirstDisc(Disc):
    class Meta:
        index_prefix = 1


class Track(EnumeratedUrlGenerator):
    name = UP("n", True)

    class Meta:
        item_prefix = "tr"
        indexes = range(1, 100)


class FirstDiscTrack(Track):
    class Meta:
        preset_prefix = "disc"
        index_prefix = 1


class FirstDiscTrackTags(EnumeratedUrlGenerator):
    genre = VP(3)

    class Meta:
        preset_prefix = "disc"
        index_prefix = "1"
        item_prefix = "tr"
        custom_prefix = "tag"


# The wire form


def test_values_get_their_names_on_the_wire():
    assert Song(title="Air", seconds=180).url() == {"st": "Air", "ss": 180}


def test_values_come_in_the_order_of_declaration_and_as_they_are():
    price = Decimal("0.99")

    url = Song({"price": price}, title="Air").url()

    assert list(url.items()) == [("st", "Air"), ("sp", price)]


def test_the_wire_form_is_the_callers_own():
    song = Song(title="Air")

    song.url()["st"] = "changed"

    assert song.url() == {"st": "Air"}


def test_variable_parameters_are_named_by_prefix_and_index():
    assert MyTags(genre="pop", year=1999).url() == {"tag1": "pop", "tag20": 1999}


def test_a_prefix_stands_before_every_name():
    assert FirstDisc(name="A").url() == {"disc1n": "A"}


def test_the_index_of_an_item_is_given_with_the_call():
    track = Track(name="Air")

    assert track.url(1) == {"tr1n": "Air"}
    assert track.url(99) == {"tr99n": "Air"}


def test_prefixes_and_indexes_can_be_nested():
    assert FirstDiscTrack(name="Air").url(2) == {"disc1tr2n": "Air"}
    assert FirstDiscTrackTags(genre="pop").url(4) == {"disc1tr4tag3": "pop"}


def test_what_url_is_given_beyond_its_arguments_does_no_harm():
    assert Song(title="Air").url(1, more=2) == {"st": "Air"}
    assert Track(name="Air").url(1, 2, more=3) == {"tr1n": "Air"}


# Attributes


def test_a_value_can_be_read_set_and_taken_away():
    song = Song(title="Air")
    assert (song.title, song.mood) == ("Air", None)

    song.mood = "sad"
    assert song.url() == {"st": "Air", "sm": "sad"}

    song.mood = None
    del song.title
    del song.title
    assert song.is_empty()


def test_falsy_values_are_values():
    song = Song(title="", loud=False)

    assert song.url() == {"st": "", "sl": False}
    assert len(song) == 2


def test_an_instance_is_true_if_it_has_a_value():
    assert not Song()
    assert Song(mood="sad")


def test_instances_share_nothing():
    one, other = Song(title="Air"), Song(title="Sea")

    one.title = "Fire"

    assert other.title == "Sea"


def test_the_representation_shows_fields_and_values():
    assert repr(Song(title="Air")) == "<Song: title='Air'>"


# Parameters of a class


def test_a_class_shows_its_parameters_by_field_name():
    assert list(LiveSong.parameters) == [
        *("title", "mood", "seconds", "loud", "price", "tempo", "place")
    ]
    title = LiveSong.parameters["title"]
    assert (title.wire_name, title.required, title.type, title.max_bytes) == (
        *("st", True, "text", 10),
    )
    assert LiveSong.title is title


def test_variable_parameters_are_shown_with_their_name_on_the_wire():
    genre, year = MyTags.parameters["genre"], MyTags.parameters["year"]

    assert (genre.wire_name, genre.type, genre.max_bytes) == ("tag1", "text", 5)
    assert (year.wire_name, year.required, year.type, year.max_bytes) == (
        *("tag20", True, "integer", 4),
    )


def test_the_parameters_of_a_class_cannot_be_changed():
    with pytest.raises(TypeError):
        Song.parameters["other"] = UP("o")


def test_the_short_names_are_the_long_ones():
    assert UP is UrlParameter
    assert VP is VariableParameter
    assert InvalidParametersException is InvalidParametersError
    assert UP("a").url_component == "a"
    assert VP(3).index == 3


def test_a_subclass_adds_overrides_and_takes_away():
    class Instrumental(LiveSong):
        mood = UP("im")
        title = None

    assert Instrumental(place="Rome", mood="odd").url() == {"lp": "Rome", "im": "odd"}
    assert Instrumental.title is None
    assert Song(mood="sad", title="Air").url()["sm"] == "sad"


def test_several_classes_can_be_joined():
    class Tagged(Song, MyTags):
        pass

    assert Tagged(title="Air", year=1999).url() == {"st": "Air", "tag20": 1999}


def test_one_parameter_may_serve_two_classes_under_two_names():
    shared = UP("x")

    class One(UrlGenerator):
        a = shared

    class Other(UrlGenerator):
        b = shared

    assert One(a=1).url() == Other(b=1).url() == {"x": 1}


def test_a_prefix_is_inherited_and_being_abstract_is_not():
    assert (Disc.meta.abstract, FirstDisc.meta.abstract) == (True, False)
    assert (FirstDisc.meta.preset_prefix, FirstDisc.meta.index_prefix) == ("disc", 1)

    class Second(FirstDisc):
        class Meta(Disc.Meta):
            index_prefix = 2

    assert Second(name="B").url() == {"disc2n": "B"}


# Making, copying, updating


def test_values_come_from_a_mapping_an_instance_and_names_the_last_winning():
    first = Song({"title": "Air", "mood": "sad"}, mood="glad")

    assert Song(first, seconds=5).url() == {"st": "Air", "sm": "glad", "ss": 5}
    assert first.seconds is None


def test_a_subclass_takes_the_values_of_its_parent_and_the_other_way_round():
    live = LiveSong(Song(title="Air"), place="Rome")

    assert live.url() == {"st": "Air", "lp": "Rome"}
    assert Song(live).url() == {"st": "Air"}


def test_none_by_name_is_passed_over_and_none_in_a_mapping_takes_away():
    song = Song(title="Air", mood="sad", seconds=None)

    song.update(title=None)
    song.update({"mood": None})

    assert song.url() == {"st": "Air"}


def test_updating_from_another_instance_makes_the_common_fields_alike():
    song = Song(title="Air", mood="sad")

    song.update(Song(title="Sea"), loud=True)

    assert song.url() == {"st": "Sea", "sl": True}


def test_updating_from_nothing_changes_nothing():
    song = Song(title="Air")

    song.update()
    song.update(Song())
    song.update({})

    assert song.url() == {"st": "Air"}


@pytest.mark.parametrize("duplicate", [Song.copy, copy.copy, copy.deepcopy])
def test_a_copy_has_the_same_values(duplicate):
    assert duplicate(Song(title="Air")).url() == {"st": "Air"}


def test_a_copy_is_independent_even_if_its_class_needs_arguments():
    class Picky(Song):
        def __init__(self, title):
            super().__init__(title=title)
            self.note = "kept"

    one = Picky("Air")
    other = one.copy()
    other.title = "Sea"

    assert (one.title, other.title, other.note) == ("Air", "Sea", "kept")


def test_an_instance_survives_pickling():
    assert pickle.loads(pickle.dumps(Song(title="Air"))).url() == {"st": "Air"}


# Problems


def test_all_problems_are_named_at_once():
    song = LiveSong(title="x" * 11, mood="odd", seconds=0, loud="yes", price="much")

    with pytest.raises(InvalidParametersError) as caught:
        song.url()

    assert caught.value.problems == (
        "title is longer than 10 bytes",
        "mood is none of glad, sad",
        "seconds is less than 1",
        "loud is neither 1 nor 0",
        "price is not an amount in plain digits",
        "place is required",
    )
    assert str(caught.value).startswith("LiveSong: title is longer than 10 bytes; ")


def test_missing_fields_are_the_second_argument_as_in_version_1():
    with pytest.raises(InvalidParametersException) as caught:
        LiveSong(mood="odd").validate()

    assert caught.value.args[1] == "title, place"
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.problems) == (str(caught.value), caught.value.problems)


def test_unknown_fields_are_named_with_the_nearest_known():
    with pytest.raises(InvalidParametersError, match=r"titel.*perhaps title") as caught:
        Song(titel="Air", zzz=1)

    assert len(caught.value.problems) == 2
    with pytest.raises(ValueError, match="titel"):
        Song({"titel": "Air"})


def test_only_a_mapping_or_another_generator_updates():
    with pytest.raises(ValueError, match="not list"):
        Song(["title"])


@pytest.mark.parametrize(
    ("field", "value", "fits"),
    [
        ("title", "ü" * 5, True),
        ("title", "ü" * 5 + "x", False),
        ("title", 1234567890, True),
        ("seconds", 1, True),
        ("seconds", "12", True),
        ("seconds", 3.0, True),
        ("seconds", 3.5, False),
        ("seconds", "٣", False),
        ("seconds", True, True),
        ("loud", 0, True),
        ("loud", "1", True),
        ("loud", 2, False),
        ("loud", "", False),
        ("price", Decimal("1E+3"), True),
        ("price", "€ 3.50", True),
        ("price", "-.5", True),
        ("price", "1,000.00", False),
        ("price", float("nan"), False),
        ("price", Decimal("1E+99"), False),
        ("tempo", 120.5, True),
        ("tempo", "$5", False),
        ("tempo", float("inf"), False),
        ("mood", "glad", True),
        ("mood", "Glad", False),
    ],
)
def test_a_value_fits_its_type(field, value, fits):
    assert (Song.parameters[field].problem(value) is None) is fits


def test_validation_can_be_extended():
    class Paired(Song):
        def problems(self):
            yield from super().problems()
            if self.loud and not self.tempo:
                yield "tempo is required for what is loud"

    with pytest.raises(InvalidParametersError) as caught:
        Paired(loud=1).url()

    assert caught.value.problems == (
        *("title is required", "tempo is required for what is loud"),
    )


def test_a_validate_of_ones_own_is_asked():
    class Own(Song):
        def validate(self):
            super().validate()
            if self.title == "Air":
                raise InvalidParametersError("Not this one.")

    with pytest.raises(InvalidParametersError, match="Not this one"):
        Own(title="Air").url()


@pytest.mark.parametrize("index", [0, 100, -1, "x"])
def test_an_index_out_of_range_is_refused(index):
    with pytest.raises(InvalidParametersError, match="not from 1 to 99"):
        Track(name="Air").url(index)


def test_without_a_range_any_index_will_do():
    assert FirstDiscTrackTags(genre="pop").url(12345) == {"disc1tr12345tag3": "pop"}


# Wrong classes


@pytest.mark.parametrize("abstract", [UrlGenerator, Tags, Disc, PrefixUrlGenerator])
def test_an_abstract_class_has_no_instances(abstract):
    with pytest.raises(ValueError, match="abstract"):
        abstract()


@pytest.mark.parametrize("missing", ["preset_prefix", "index_prefix"])
def test_a_prefix_class_needs_both_its_prefixes(missing):
    meta = {"preset_prefix": "disc", "index_prefix": 1}
    del meta[missing]
    incomplete = type(
        "Incomplete", (PrefixUrlGenerator,), {"Meta": type("M", (), meta)}
    )

    with pytest.raises(ValueError, match=missing):
        incomplete()


def test_a_variable_parameter_out_of_range_is_refused_with_the_class():
    with pytest.raises(
        ConfigurationError, match=r"TooMany\.last: index 21 is not from"
    ):
        type("TooMany", (Tags,), {"last": VP(21)})


def test_an_index_prefix_out_of_range_is_refused_with_the_class():
    meta = type("Meta", (), {"index_prefix": 100})

    with pytest.raises(ConfigurationError, match=r"Meta.index_prefix: index 100"):
        type("Far", (Track,), {"Meta": meta})


def test_a_slip_in_meta_is_refused_with_the_class():
    meta = type("Meta", (), {"custom_prefx": "cd"})

    with pytest.raises(ConfigurationError, match="custom_prefx"):
        type("Slip", (UrlGenerator,), {"Meta": meta})


def test_a_variable_parameter_outside_of_a_generator_is_of_no_use():
    class Plain:
        tag = VP(1)

    assert Plain().tag == VP(1)
    with pytest.raises(AttributeError):
        Plain().tag = "pop"


# Query strings

WRITTEN = [
    ("plain", "plain"),
    (True, "1"),
    (False, "0"),
    (12, "12"),
    (12.0, "12"),
    (0.1, "0.1"),
    (1e-7, "0.0000001"),
    (1e22, "10000000000000000000000"),
    (Decimal("12.50"), "12.5"),
    (Decimal("1E+3"), "1000"),
    (Decimal("0E+99"), "0"),
    (Decimal(100), "100"),
    (-0.5, "-0.5"),
    (10**400, "1.000000E+400"),
    (float("nan"), "NaN"),
    ("\ud800", "\ufffd"),
]


@pytest.mark.parametrize(("value", "text"), WRITTEN)
def test_values_are_written_plainly(value, text):
    assert wire_text(value) == text


def test_a_query_string_is_strictly_encoded():
    query = query_from({"a b": "ü &=+|{}\n", "n": 2, "z": True})

    assert query == "a%20b=%C3%BC%20%26%3D%2B%7C%7B%7D%0A&n=2&z=1"


def test_all_of_ascii_is_escaped_but_what_rfc_3986_leaves_alone():
    alone = set(string.ascii_letters + string.digits + "-._~")  # section 2.3

    for character in map(chr, range(128)):
        expected = character if character in alone else f"%{ord(character):02X}"
        assert query_from({"x": f"a{character}"}) == f"x=a{expected}"


class Markup(str):
    """A text as templates make it, which escapes what it is joined with."""

    __slots__ = ()

    def replace(self, *_args):
        return "escaped"


def test_a_text_of_a_class_of_its_own_is_written_like_any_other():
    assert query_from({"x": Markup("a & b")}) == "x=a%20%26%20b"


def test_values_that_are_none_are_not_among_those_written():
    written = wire_texts({"a": "ü", "b": None, "c": True, "d": "", "e": "\ud800"})

    assert written == {"a": "ü", "c": "1", "d": "", "e": "\ufffd"}


@given(st.dictionaries(st.text(min_size=1), st.text(), max_size=5))
def test_a_query_string_can_be_read_again(values):
    query = query_from(values)

    assert query.isascii()
    assert dict(parse_qsl(query, keep_blank_values=True)) == {
        wire_text(name): wire_text(value) for name, value in values.items()
    }


@given(
    st.one_of(
        st.text(),
        st.integers(),
        st.floats(),
        st.decimals(),
        st.binary(),
        st.lists(st.integers()),
    )
)
def test_any_value_can_be_written_and_checked(value):
    unquote(query_from({"x": value}))
    for parameter in Song.parameters.values():
        parameter.problem(value)


def test_numbers_beyond_what_python_would_write_are_no_trouble():
    assert wire_text(10**5000) == "1.000000E+5000"


# The page in the docs

BLOCKS = re.findall(
    r"```python\n(.*?)```",
    (Path(__file__).parents[1] / "docs" / "new-system.md").read_text("utf-8"),
    re.DOTALL,
)


def names_of(block):
    module = ModuleType(f"docs_new_system_{BLOCKS.index(block)}")
    sys.modules[module.__name__] = module
    exec(compile(block, "docs/new-system.md", "exec"), vars(module))
    return vars(module)


# The first block is run here, once: pickling wants one class of its name.
TALLY = names_of(BLOCKS[0])["Tally"]


@pytest.mark.parametrize("block", BLOCKS[1:])
def test_the_examples_in_the_docs_run(block):
    names_of(block)


class TestTheSystemInTheDocs(SystemContract):
    """A system of one file gets the whole contract."""

    def make_system(self):
        return TALLY.example()

    def test_it_has_a_url(self):
        url = urlsplit("tally+https://shop@tally.example/count")

        assert TALLY.from_url(url) == TALLY.example()
