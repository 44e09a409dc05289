"""Tell the site of a visitor who takes an acceptance back."""

from __future__ import annotations

import time

from server_tracking.consent import ConsentState
from server_tracking.exchange import Request
from server_tracking.extractor import Extractor
from server_tracking.reasons import Reason
from server_tracking.recognition import Recognition

__all__ = ["tell_withdrawal"]


def tell_withdrawal(
    extractor: Extractor, request: Request, recognition: Recognition
) -> None:
    """Call ``on_withdraw`` if *request* refuses what its id cookie says was accepted.

    The answer to it takes that cookie away, so that the next request tells nothing. A
    visitor who refuses without having accepted has no such cookie.
    """
    tell = extractor.settings.on_withdraw
    if (
        tell is None
        or recognition.refusal is Reason.OWN
        or recognition.decision.state is not ConsentState.DENIED
    ):
        return
    known = extractor.known(request, time.time())
    if known is not None and known.granted:
        tell(known.client_id)
