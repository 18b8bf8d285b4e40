import gc

gc.disable()  # nothing that is imported here is garbage, and to look for it all the time is a tenth of a cold start

from chalice.app import Chalice

from chalicelib.guard import functions as guard
from chalicelib.web.http.middleware import middleware
from chalicelib.web.jobs import account_cleanup, key_rotation, mail_events, outbox_delivery
from chalicelib.web.metadata.apis import APIS
from chalicelib.web.pages import browser_errors

app = Chalice(app_name="latchkey")
app.api.binary_types = []  # all that comes and goes is text; Chalice would look through its list three times a request
app.register_middleware(browser_errors.middleware, "http")
app.register_middleware(middleware, "http")
for api in APIS:
    app.register_blueprint(api.blueprint)
app.register_blueprint(guard.functions)
app.register_blueprint(key_rotation.functions)
app.register_blueprint(account_cleanup.functions)
app.register_blueprint(outbox_delivery.functions)
app.register_blueprint(mail_events.functions)

gc.freeze()  # nor will it ever be
gc.enable()
