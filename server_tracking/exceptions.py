"""Names of server-side-tracking 1.0, for code that still imports them from here."""

from server_tracking.errors import InvalidParametersError as InvalidParametersException

__all__ = ["InvalidParametersException"]
