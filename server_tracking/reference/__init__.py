"""What each system's protocol has, and how to say it with this library."""
