"""The URL generator framework: classes that say what a query string may hold.

A class lists its parameters, an instance holds their values, ``url()`` makes the
wire form of them:

    class EventParameters(UrlGenerator):
        category = UP("ec", True, max_bytes=150)
        value = UP("ev", type="integer", minimum=0)

    EventParameters(category="Shop", value=3).url()     # {"ec": "Shop", "ev": 3}

`docs/new-system.md` shows how a system is written with it.
"""

from server_tracking.parameters.fields import (
    UP,
    VP,
    MissingParametersError,
    UrlParameter,
    VariableParameter,
)
from server_tracking.parameters.generators import (
    EnumeratedUrlGenerator,
    PrefixUrlGenerator,
    UrlGenerator,
)
from server_tracking.parameters.writing import (
    pair_from,
    query_from,
    wire_text,
    wire_texts,
)

# Its name in version 1.0.
AbstractUrlGenerator = UrlGenerator

__all__ = [
    "UP",
    "VP",
    "EnumeratedUrlGenerator",
    "MissingParametersError",
    "PrefixUrlGenerator",
    "UrlGenerator",
    "UrlParameter",
    "VariableParameter",
    "pair_from",
    "query_from",
    "wire_text",
    "wire_texts",
]
