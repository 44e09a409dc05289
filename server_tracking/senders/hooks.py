"""What an application may hang into a sender, guarded: nothing of it stops a sender."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from server_tracking.hits import Hit
from server_tracking.senders.lanes import Entry

__all__ = ["FAILURES", "NO_HOOKS", "Hooks"]

logger = logging.getLogger("server_tracking")

FAILURES = (Exception, SystemExit)
"""What may come out of others' code in our thread, and must not end it."""


class Hooks(NamedTuple):
    """The hooks of an application, called from the sender's own thread.

    What is lost because a sender is closed is told by the thread that closes it.
    *before_send* returns the hit to send, or None to keep it back; if it fails, the
    hit is kept back as well, for it may be what removes secrets. It is called for
    each system and each try, and cannot change the id. *on_drop* hears the system's
    name, the reason and how many hits were lost for it; *on_error* what a system or
    a hook has raised.
    """

    before_send: Callable[[Hit], Hit | None] | None = None
    on_drop: Callable[[str, str, int], object] | None = None
    on_error: Callable[[BaseException], object] | None = None

    def screened(
        self, written: list[tuple[Hit, Entry]]
    ) -> tuple[list[tuple[Hit, Entry]], list[Entry]]:
        """Part *written* entries into those to send, each with its hit, and withheld."""
        if self.before_send is None:
            return written, []
        kept: list[tuple[Hit, Entry]] = []
        withheld: list[Entry] = []
        for hit, entry in written:
            changed = self._changed(hit)
            if changed is None:
                withheld.append(entry)
            else:
                kept.append((changed, entry))
        return kept, withheld

    def dropped(self, system: str, reason: str, number: int) -> None:
        """Tell that *number* hits for *system* were lost."""
        if self.on_drop is not None:
            try:
                self.on_drop(system, reason, number)
            except FAILURES as error:
                self.failed(error)

    def failed(self, error: BaseException) -> None:
        """Tell of an error that was kept from the site."""
        # Not with its message, which may repeat what somebody has typed.
        logger.debug("A system or a hook has raised %s.", type(error).__name__)
        if self.on_error is not None:
            try:
                self.on_error(error)
            except FAILURES as second:
                logger.debug("on_error has raised %s.", type(second).__name__)

    def _changed(self, hit: Hit) -> Hit | None:
        if self.before_send is None:
            return hit
        try:
            changed = self.before_send(hit)
            if changed is None or changed.id == hit.id:
                return changed
            return msgspec.structs.replace(changed, id=hit.id)
        except FAILURES as error:
            self.failed(error)
            return None


NO_HOOKS = Hooks()
