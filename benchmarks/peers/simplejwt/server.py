"""djangorestframework-simplejwt as its "Getting started" and "Blacklist app" have it: rotation, blacklist, RS256.

The rest is what `django-admin startproject` writes, but DEBUG, and with connections to the database that stay open.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.urls import path

PASSWORD = "correct horse battery staple"


def configure(scratch: str) -> None:
    """Set Django up, its database new."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    settings.configure(
        SECRET_KEY="bench" * 10,
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        INSTALLED_APPS=[
            *(
                "django.contrib.auth",
                "django.contrib.contenttypes",
                "django.contrib.sessions",
                "django.contrib.messages",
            ),
            *("rest_framework", "rest_framework_simplejwt", "rest_framework_simplejwt.token_blacklist"),
        ],
        MIDDLEWARE=[
            "django.middleware.security.SecurityMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            "django.middleware.clickjacking.XFrameOptionsMiddleware",
        ],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": str(Path(scratch, "simplejwt.sqlite3")),
                "CONN_MAX_AGE": None,
            }
        },
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        REST_FRAMEWORK={
            "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTAuthentication"],
            "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        },
        SIMPLE_JWT={
            "ACCESS_TOKEN_LIFETIME": timedelta(hours=1),
            "ALGORITHM": "RS256",
            "SIGNING_KEY": private.decode(),
            "VERIFYING_KEY": public.decode(),
            "ROTATE_REFRESH_TOKENS": True,
            "BLACKLIST_AFTER_ROTATION": True,
        },
    )
    django.setup()
    call_command("migrate", verbosity=0)


urlpatterns: list[Any] = []


def routes() -> list[Any]:
    """The documentation's routes, and one that needs a token."""
    from rest_framework.permissions import IsAuthenticated
    from rest_framework.response import Response
    from rest_framework.views import APIView
    from rest_framework_simplejwt.views import TokenObtainPairView, TokenRefreshView

    class Me(APIView):
        permission_classes = (IsAuthenticated,)

        def get(self, request: Any) -> Response:
            return Response({"name": request.user.username})

    return [
        path("api/token/", TokenObtainPairView.as_view()),
        path("api/token/refresh/", TokenRefreshView.as_view()),
        path("me", Me.as_view()),
    ]


def make(scratch: str) -> tuple[Any, dict[str, Any]]:
    """The app, and what is asked of it."""
    from worker import Wsgi

    configure(scratch)
    urlpatterns.extend(routes())
    from django.contrib.auth.models import User

    for number in range(40):
        User.objects.create_user(f"ann{number}", password=PASSWORD)
    client = Wsgi(get_wsgi_application())
    calls = iter(range(10**9))

    def log_in() -> Any:
        body = {"username": f"ann{next(calls) % 40}", "password": PASSWORD}
        return client.post("/api/token/", body=body)

    session = log_in()

    def refresh() -> None:
        session.update(client.post("/api/token/refresh/", body={"refresh": session["refresh"]}))

    def verify() -> None:
        client.get("/me", bearer=session["access"])

    return client, {"login": log_in, "refresh": refresh, "verify": verify}
