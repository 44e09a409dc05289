"""Salts: the same for all workers of a day, and gone after two."""

import logging
import multiprocessing
import stat

import pytest

from server_tracking import ConfigurationError, Settings
from server_tracking.salts import (
    CacheSalt,
    DerivedSalt,
    FileSalt,
    MemorySalt,
    SaltStore,
)

DAY = 20_700


class DictCache:
    """As Django's cache: `add` keeps what is there."""

    def __init__(self):
        self.kept = {}
        self.timeouts = set()

    def add(self, key, value, timeout):
        self.timeouts.add(timeout)
        return self.kept.setdefault(key, value) is value

    def get(self, key):
        return self.kept.get(key)


@pytest.fixture(params=["memory", "file", "cache"])
def store(request, tmp_path):
    return {
        "memory": MemorySalt,
        "file": lambda: FileSalt(tmp_path / "salts"),
        "cache": lambda: CacheSalt(DictCache()),
    }[request.param]()


def test_a_store_is_one(store):
    assert isinstance(store, SaltStore)


def test_a_day_has_one_salt_of_its_own(store):
    assert store.salt(DAY) == store.salt(DAY)
    assert store.salt(DAY) != store.salt(DAY + 1)
    assert len(store.salt(DAY)) == 32


def test_looking_makes_none(store):
    assert store.known(DAY) is None
    salt = store.salt(DAY)
    assert store.known(DAY) == salt


def test_a_clock_that_goes_back_a_day_makes_no_second_salt(store):
    salt = store.salt(DAY)
    store.salt(DAY + 1)

    assert store.salt(DAY) == salt


def test_a_clock_that_goes_back_far_has_one_salt_for_that_day_too(store):
    store.salt(DAY)

    assert store.salt(DAY - 9) == store.salt(DAY - 9)


def test_a_representation_shows_no_salt(store):
    assert store.salt(DAY).hex() not in repr(store)
    assert str(store.salt(DAY)) not in repr(store)


def test_two_workers_share_a_directory(tmp_path):
    assert FileSalt(tmp_path).salt(DAY) == FileSalt(tmp_path).salt(DAY)


def test_two_workers_share_a_cache():
    cache = DictCache()

    assert CacheSalt(cache).salt(DAY) == CacheSalt(cache).salt(DAY)
    assert cache.timeouts == {2 * 24 * 3600}


def test_a_cache_that_keeps_nothing_is_an_error():
    cache = DictCache()
    cache.get = lambda _key: None

    with pytest.raises(LookupError):
        CacheSalt(cache).salt(DAY)


def salt_of(directory):
    return FileSalt(directory).salt(DAY)


def test_of_many_that_race_one_makes_the_salt(tmp_path):
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        salts = pool.map(salt_of, [tmp_path / "salts"] * 32)

    [file] = (tmp_path / "salts").iterdir()
    assert set(salts) == {file.read_bytes()}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_after_two_days_a_salt_is_gone(tmp_path):
    store = FileSalt(tmp_path)
    first = store.salt(DAY)
    store.salt(DAY + 1)
    assert store.known(DAY) == first

    store.salt(DAY + 2)

    assert store.known(DAY) is None
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"salt-{DAY + 1}",
        f"salt-{DAY + 2}",
    ]


def test_other_files_are_left_alone(tmp_path):
    (tmp_path / "salt-cellar").write_text("x")

    FileSalt(tmp_path).salt(DAY)

    assert (tmp_path / "salt-cellar").exists()


def test_a_derived_salt_warns_that_it_is_never_gone(caplog):
    with caplog.at_level(logging.WARNING, "server_tracking"):
        store = DerivedSalt("a secret key for tests")

    assert "recompute" in caplog.text
    assert store.known(DAY) == DerivedSalt("a secret key for tests").salt(DAY)
    assert "a secret key" not in repr(store) + caplog.text


def test_a_path_stands_for_a_directory(tmp_path):
    settings = Settings.from_env({"SERVER_TRACKING_COOKIELESS_SALT": str(tmp_path)})

    assert settings.salt_store.salt(DAY)
    assert list(tmp_path.iterdir())


def test_what_is_no_store_is_refused():
    with pytest.raises(ConfigurationError, match="cookieless_salt"):
        Settings(cookieless_salt=7)
