"""A Django site, tracked: `python manage.py runserver`.

Start the inspector (`server-tracking inspect`) beside it, and open
http://127.0.0.1:8000/: the page view appears in the inspector. For your own site,
set SERVER_TRACKING_SYSTEMS to the systems that shall hear of it.
"""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "garden.settings")
    execute_from_command_line(sys.argv)
