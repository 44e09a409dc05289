"""An example site, the inspector beside it, and a sample visit: `server-tracking demo`."""
