"""What this API's own routes need. The same map declares the routes (web) and computes their policies (domain/guard)."""

ACCOUNT = "account"

SCOPES = {
    "GET /me": ACCOUNT,
    "PATCH /me": ACCOUNT,
    "DELETE /me": ACCOUNT,
    "GET /me/export": ACCOUNT,
    "GET /me/sessions": ACCOUNT,
    "DELETE /me/sessions": ACCOUNT,
    "DELETE /me/sessions/{sid}": ACCOUNT,
    "GET /me/activity": ACCOUNT,
    "GET /me/devices": ACCOUNT,
    "DELETE /me/devices": ACCOUNT,
    "DELETE /me/devices/{device_id}": ACCOUNT,
    "GET /me/consents": ACCOUNT,
    "DELETE /me/consents/{consent_id}": ACCOUNT,
    "GET /me/factors": ACCOUNT,
    "POST /me/factors": ACCOUNT,
    "POST /me/factors/confirm": ACCOUNT,
    "POST /me/factors/recovery-codes": ACCOUNT,
    "PATCH /me/factors/{factor_id}": ACCOUNT,
    "DELETE /me/factors/{factor_id}": ACCOUNT,
    "POST /me/password": ACCOUNT,
    "POST /me/upgrade": ACCOUNT,
    "POST /me/upgrade/passkey": ACCOUNT,
    "POST /me/upgrade/passkey/confirm": ACCOUNT,
    "POST /me/email": ACCOUNT,
    "DELETE /me/email": ACCOUNT,
    "POST /me/email/confirm": ACCOUNT,
    "POST /me/email/verification": ACCOUNT,
    "POST /me/email/verification/code": ACCOUNT,
}
# Which of them need a level (`acr`) as well, a higher one included.
ACR: dict[str, str] = {}
