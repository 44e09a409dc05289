"""Tags for templates: ``{% load server_tracking %}``.

Each is one script file of the site's own, with no code in the page: a content
security policy of ``script-src 'self'`` allows it.
"""

from __future__ import annotations

from django import template
from django.templatetags.static import static
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from server_tracking_django.conf import get_tracker

__all__ = ["register", "tracking_consent", "tracking_ping"]

register = template.Library()


@register.simple_tag
def tracking_ping() -> SafeString:
    """Have the browser tell the size of its screen, once for each visit."""
    return format_html(
        '<script src="{}" data-url="{}" defer></script>',
        static("server_tracking/ping.js"),
        reverse("server_tracking:ping"),
    )


@register.simple_tag
def tracking_consent() -> SafeString:
    """Make a consent banner of elements with ``data-tracking-...`` attributes work."""
    return format_html(
        '<script src="{}" data-url="{}" data-cookie="{}" defer></script>',
        static("server_tracking/consent.js"),
        reverse("server_tracking:consent"),
        get_tracker().settings.cookie_status,
    )
