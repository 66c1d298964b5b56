"""A select says what Django's own says."""

import re
from typing import Any

import pytest
from django import forms
from django.forms.renderers import DjangoTemplates
from django.utils.safestring import mark_safe

CHOICES = [
    ("", "Every <b>client</b>"),
    ("Group & one", [("1", "It's"), (2, 'A "quoted" one')]),
    (None, "None"),
    (True, mark_safe("<i>marked</i>")),
]


class Attributes(forms.Select):
    """Options with attributes of their own."""

    def create_option(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option: dict[str, Any] = super().create_option(*args, **kwargs)
        option["attrs"] |= {"data-x": 'a"<', "disabled": args[0] == "two", "hidden": True}
        return option


@pytest.mark.parametrize("chosen", ["", "2", None, ["1", "2"]])
@pytest.mark.parametrize("kind", [forms.Select, forms.SelectMultiple, Attributes])
def test_a_select_is_written_as_django_writes_it(kind: type[forms.Select], chosen: object) -> None:
    widget = kind(attrs={"class": "control", "required": True}, choices=CHOICES)
    ours = widget.render("name", chosen)
    theirs = widget.render("name", chosen, renderer=DjangoTemplates())
    assert plain(ours) == plain(theirs)


def plain(text: str) -> list[str]:
    """Tags with their attributes in order of name, and the text between; white space aside."""
    found = []
    for part in re.split(r"(<[^>]*>)", text):
        if part.startswith("<") and not part.startswith("</"):
            name, *attributes = re.findall(r'<?[\w-]+(?:="[^"]*")?', part)
            found.append(" ".join([name, *sorted(attributes)]))
        elif part.strip():
            found.append(part.strip())
    return found
