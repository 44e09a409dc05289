"""Django under ASGI."""

import django_site as _configured  # noqa: F401 - settings come first
from django.core.asgi import get_asgi_application

app = get_asgi_application()
