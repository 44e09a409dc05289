"""Tell systems of one hit from the command line: `server-tracking send`."""
