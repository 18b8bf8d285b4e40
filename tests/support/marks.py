"""What a page says of its own fields: which are wrong and why, what is where, and what has the focus."""

from html.parser import HTMLParser

from local.gateway import Answer

# What is typed into a field now and then, by accident or not: markup, text that turns its direction, too much, nothing.
TYPED = ('"><script>x</script>', "\u202etxet\u2066", "w" * 200, "")


class Marks(HTMLParser):
    """What refers to what in a page, and where its focus is."""

    def __init__(self, page: Answer) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.references: set[str] = set()
        self.labelled: set[str] = set()
        self.fields: dict[str, dict[str, str]] = {}
        self.focused: list[str] = []
        self.feed(page.body.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if "id" in attributes:
            self.ids.append(attributes["id"])
        self.references |= set(attributes.get("aria-describedby", "").split())
        if tag == "label":
            self.labelled.add(attributes.get("for", ""))
        if "autofocus" in attributes:
            self.focused.append(attributes.get("id", tag))
        if tag == "input" and attributes.get("type") not in ("hidden", "checkbox"):
            self.fields[attributes["id"]] = attributes


def check_marks(page: Answer) -> Marks:
    """Fails where a page refers to what is not there, has two focuses, or calls a field wrong without saying why."""
    marks = Marks(page)
    assert len(set(marks.ids)) == len(marks.ids)
    assert marks.references <= set(marks.ids)
    assert set(marks.fields) <= marks.labelled
    assert len(marks.focused) <= 1
    wrong = [field for field, attributes in marks.fields.items() if "aria-invalid" in attributes]
    assert all("error" in marks.fields[field]["aria-describedby"] for field in wrong)
    # The first that is wrong, or the password where it is not known which of two is.
    assert not wrong or marks.focused[0] in wrong
    return marks
