"""The settings of a project, beside those of the recipe."""

from common import *  # noqa: F403
from settings import *  # noqa: F403

INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider"]
AUTHENTICATION_BACKENDS = ["oauth2_provider.backends.OAuth2Backend"]
