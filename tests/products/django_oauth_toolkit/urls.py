"""An API with a route for tokens with one scope, as the library's page on resource servers has it."""

from django.http import JsonResponse
from django.urls import path
from oauth2_provider.decorators import protected_resource


@protected_resource(scopes=["notes:read"])
def notes(request):
    """Say whose notes these are."""
    return JsonResponse({"user": request.resource_owner and request.resource_owner.username})


urlpatterns = [path("notes", notes)]
