"""Tell systems what access logs know: `server-tracking replay`."""
