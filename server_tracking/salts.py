"""Salts of the ids that last for a day: random, shared by the workers, destroyed.

Whoever has the salt of a day can find out, by trying all addresses, whose visit an id
was. A random salt that is gone after two days is what makes an id anonymous; so keep
it where it really goes (memory), and out of backups.
"""

from __future__ import annotations

import contextlib
import hmac
import logging
import os
import secrets
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from server_tracking.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "CacheSalt",
    "DerivedSalt",
    "FileSalt",
    "MemorySalt",
    "SaltStore",
    "salt_store_from",
]

logger = logging.getLogger("server_tracking")

_LENGTH = 32
_KEPT = 2  # days: today's salt, and yesterday's for visits that cross midnight


@runtime_checkable
class SaltStore(Protocol):
    """Where salts are kept. A *day* is a number of days since 1970, in UTC."""

    def salt(self, day: int) -> bytes:
        """Return the salt of *day*, made now if there is none; older ones go."""
        ...

    def known(self, day: int) -> bytes | None:
        """Return the salt of *day* if there is one."""
        ...


def salt_store_from(given: object) -> SaltStore | None:
    """Return the store that the option ``cookieless_salt`` names, if it does."""
    if isinstance(given, str) and given:
        return FileSalt(given)
    if given is None or isinstance(given, SaltStore):
        return given
    raise ConfigurationError(
        f"Option 'cookieless_salt': {given!r:.80} was given; accepted is a directory, "
        "or a store of server_tracking.salts.",
        option="cookieless_salt",
    )


class MemorySalt:
    """Salts of this process alone: each worker knows a visitor by another id."""

    def __init__(self) -> None:
        self._salts: dict[int, bytes] = {}

    def salt(self, day: int) -> bytes:
        """Return the salt of *day*."""
        found = self._salts.get(day)
        if found is None:
            # Without a lock, which a fork could leave held: setdefault is atomic.
            found = self._salts.setdefault(day, self._make(day))
            newest = max(tuple(self._salts))
            for other in tuple(self._salts):
                if other <= newest - _KEPT and other != day:
                    self._salts.pop(other, None)
        return found

    def known(self, day: int) -> bytes | None:
        """Return the salt of *day* if there is one."""
        return self._salts.get(day) or self._find(day)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def _make(self, day: int) -> bytes:  # noqa: ARG002 - each is random
        return secrets.token_bytes(_LENGTH)

    def _find(self, day: int) -> bytes | None:  # noqa: ARG002 - there is no other place
        return None


class FileSalt(MemorySalt):
    """Salts in a *directory* that all workers of a machine share.

    It is made if it is not there, for its owner alone. Better in memory (``/run``,
    ``/dev/shm``) than on a disk that is backed up.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        from pathlib import Path  # takes 1 ms, and few sites have such a directory

        super().__init__()
        self._directory = Path(directory)

    def _make(self, day: int) -> bytes:
        found = self._find(day)
        if found is None:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._write(day)
            found = self._find(day)
        if found is None:
            raise OSError(f"the salt of day {day} cannot be read back")
        self._destroy_before(day - _KEPT + 1)
        return found

    def _find(self, day: int) -> bytes | None:
        try:
            found = self._path(day).read_bytes()
        except FileNotFoundError:
            return None
        return found if len(found) == _LENGTH else None

    def _write(self, day: int) -> None:
        """Write a whole file and link it into place: of all who try, one succeeds."""
        import tempfile  # it takes 3 ms

        handle, name = tempfile.mkstemp(prefix=".new-", dir=self._directory)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(secrets.token_bytes(_LENGTH))
            with contextlib.suppress(FileExistsError):
                os.link(name, self._path(day))
        finally:
            os.unlink(name)  # noqa: PTH108

    def _destroy_before(self, day: int) -> None:
        for path in self._directory.glob("salt-*"):
            number = path.name.removeprefix("salt-")
            if number.isdecimal() and int(number) < day:
                path.unlink(missing_ok=True)

    def _path(self, day: int) -> Path:
        return self._directory / f"salt-{day}"


class CacheSalt(MemorySalt):
    """Salts in a *cache* that all workers of all machines share.

    It has ``add(key, value, timeout)`` and ``get(key)``, as Django's caches and
    cachelib's; ``add`` keeps what is there. A cache that is emptied makes all
    visitors new.
    """

    def __init__(self, cache: Any, prefix: str = "server_tracking.salt.") -> None:
        super().__init__()
        self._cache = cache
        self._prefix = prefix

    def _make(self, day: int) -> bytes:
        fresh = secrets.token_hex(_LENGTH)
        self._cache.add(f"{self._prefix}{day}", fresh, timeout=_KEPT * 24 * 3600)
        found = self._find(day)
        if found is None:
            raise LookupError("the cache of the salts keeps nothing")
        return found

    def _find(self, day: int) -> bytes | None:
        text = self._cache.get(f"{self._prefix}{day}")
        return bytes.fromhex(text) if isinstance(text, str) else None


class DerivedSalt:
    """Salts made of a *secret* and the day: the same everywhere, and never gone.

    Whoever has the secret can make the salt of any day again. Ids are pseudonymous
    only, not anonymous; a warning says so.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        logger.warning(
            "Cookieless ids are made with salts derived from secret_key: whoever has "
            "it can recompute them. Set cookieless_salt to a directory in memory."
        )

    def __repr__(self) -> str:
        return "<DerivedSalt>"

    def salt(self, day: int) -> bytes:
        """Make the salt of *day*."""
        return hmac.digest(
            self._secret, f"server_tracking.salt\0{day}".encode(), "sha256"
        )

    def known(self, day: int) -> bytes | None:
        """Make the salt of *day*."""
        return self.salt(day)
