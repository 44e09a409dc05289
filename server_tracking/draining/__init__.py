"""Send what a spool holds, from a process of its own: `server-tracking drain`."""
