"""Settings of the shop; those of the tracking stand at the end."""

import os

SECRET_KEY = "change me: any long random text"
DEBUG = True
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "garden.urls"
WSGI_APPLICATION = "garden.wsgi.application"
ASGI_APPLICATION = "garden.asgi.application"
STATIC_URL = "/static/"
USE_TZ = True
DATABASES = {}
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": ["django.template.context_processors.request"]
        },
    }
]
INSTALLED_APPS = [
    "django.contrib.staticfiles",
    "server_tracking_django",
    "garden",
]
MIDDLEWARE = [
    "server_tracking_django.middleware.PageViewMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
]

INSPECTOR = "ga4://made-up-secret@G-EXAMPLE?endpoint=http://127.0.0.1:8001"
SERVER_SIDE_TRACKING = {
    "systems": os.environ.get("SERVER_TRACKING_SYSTEMS", INSPECTOR),
    "pageview_na_exceptions": True,
}
