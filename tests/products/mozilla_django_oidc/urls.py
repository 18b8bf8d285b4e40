"""A project with nothing but the library's own views, and a page that says who is logged in."""

from django.http import JsonResponse
from django.urls import include, path


def me(request):
    """Say who is logged in."""
    return JsonResponse({"email": getattr(request.user, "email", None)})


urlpatterns = [path("oidc/", include("mozilla_django_oidc.urls")), path("me", me)]
