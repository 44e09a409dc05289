"""Django under WSGI."""

import django_site as _configured  # noqa: F401 - settings come first
from django.core.wsgi import get_wsgi_application

app = get_wsgi_application()
