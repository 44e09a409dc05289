"""Test tracked applications, systems, senders and adapters."""
