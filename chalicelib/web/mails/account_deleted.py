from ...flows.accounts import deletion
from .mail import Contents, FirstMailKind

# There is no account any more whose mail it could be.
MAIL = FirstMailKind(deletion.DELETED, lambda *_: Contents())
