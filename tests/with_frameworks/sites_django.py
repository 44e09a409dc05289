"""Django, configured once for all its tests; each test overrides what it needs."""

import itertools
from types import ModuleType

import django
from django.conf import settings
from django.test.utils import override_settings, setup_test_environment

MIDDLEWARE = "server_tracking_django.middleware.PageViewMiddleware"
_numbers = itertools.count()


def set_up():
    """Configure Django, unless another test module has."""
    if settings.configured:
        return
    settings.configure(
        SECRET_KEY="a secret key for Django's tests",
        ALLOWED_HOSTS=["*"],
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.staticfiles",
            "server_tracking_django",
        ],
        MIDDLEWARE=[MIDDLEWARE],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": "file:tests?mode=memory&cache=shared",
            }
        },
        STATIC_URL="/static/",
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
            }
        ],
        USE_TZ=True,
        LOGGING_CONFIG=None,
    )
    django.setup()
    setup_test_environment()


def urls(*patterns, **more):
    """Make a URL configuration of *patterns*, of the kind `ROOT_URLCONF` takes."""
    module = ModuleType(f"urls_{next(_numbers)}")
    module.urlpatterns = list(patterns)
    for name, value in more.items():
        setattr(module, name, value)
    return module


def site(*patterns, middleware=(MIDDLEWARE,), **more):
    """Override the settings: a site of URL *patterns*."""
    return override_settings(
        ROOT_URLCONF=urls(*patterns), MIDDLEWARE=list(middleware), **more
    )


set_up()
