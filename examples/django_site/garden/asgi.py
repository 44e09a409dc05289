"""For an ASGI server: `uvicorn garden.asgi:application`."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "garden.settings")
application = get_asgi_application()
