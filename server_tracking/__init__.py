"""Server-side analytics for any Python web application."""
