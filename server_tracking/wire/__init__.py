"""What the wire formats of analytics systems share: cutting, writing, bundling.

Systems build what they say of a hit, fit it to their limits, and bundle it into
calls; the pieces that are the same for all stand here.
"""

from server_tracking.wire.bodies import (
    bodies,
    bundles,
    json_bytes,
    json_from,
    json_object_from,
)
from server_tracking.wire.texts import (
    cut,
    cut_bytes,
    is_address,
    number_text,
    well_formed,
    whole_escapes,
)
from server_tracking.wire.times import moment_of, time_from, utc_time
from server_tracking.wire.words import (
    begins_visit,
    hit_name,
    hit_properties,
    raw_parameters,
    total_of,
)

__all__ = [
    "begins_visit",
    "bodies",
    "bundles",
    "cut",
    "cut_bytes",
    "hit_name",
    "hit_properties",
    "is_address",
    "json_bytes",
    "json_from",
    "json_object_from",
    "moment_of",
    "number_text",
    "raw_parameters",
    "time_from",
    "total_of",
    "utc_time",
    "well_formed",
    "whole_escapes",
]
