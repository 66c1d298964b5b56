"""How staff set up a client's public page and its form on other sites."""

import re
from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError

from callprivacy.lib.forms import LineField, URLLineField
from consent.channels.signals import origin_of

MOST_SITES: Final = 50
_INTEGRITY: Final = re.compile(r"(?:sha(?:256|384|512)-[A-Za-z0-9+/]{43,88}={0,2})").fullmatch


class SitesForm(forms.Form):
    """
    Which sites may carry the form, and the number-swap that it may load there.

    :param may_swap: whether the person may say which script of a tracker runs on the client's sites.
    """

    origins = forms.CharField(
        label="Sites allowed to embed the form",
        required=False,
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}),
        help_text="One per line, such as https://www.example.com, without a path. List each subdomain separately.",
    )
    swap_url = URLLineField(
        label="Number-swap script of the call tracker",
        required=False,
        max_length=500,
        assume_scheme="https",
        help_text="Leave empty to keep the site's numbers as they are. It does not load for visitors who opt out.",
    )
    swap_integrity = LineField(
        label="Integrity hash of the script",
        required=False,
        max_length=120,
        widget=forms.TextInput(attrs={"spellcheck": "false", "placeholder": "sha384-…"}),
        help_text=(
            "Browsers do not run a script that does not match the hash."
            " Leave empty if the tracker changes its script without notice."
        ),
    )
    swap_needs_consent = forms.BooleanField(
        label="Ask every visitor before numbers are swapped",
        required=False,
        help_text=(
            "If off, visitors are asked only if their time zone is outside the Americas and Australia,"
            " or unknown."
        ),
    )

    def __init__(self, data: Mapping[str, Any] | None = None, *, may_swap: bool, **more: Any) -> None:
        super().__init__(data, **more)
        if not may_swap:
            for name in ("swap_url", "swap_integrity"):
                self.fields[name].disabled = True
                self.fields[name].help_text = "Only a team member who manages connections can change this."

    def clean_origins(self) -> list[str]:
        """
        One origin a line.

        :raises ValidationError: a line is none, or there are too many.
        """
        lines = [line.strip() for line in self.cleaned_data["origins"].splitlines() if line.strip()]
        found = []
        for number, line in enumerate(lines, start=1):
            origin = origin_of(line)
            if origin is None:
                raise ValidationError(
                    f"Line {number} is not a valid site. Enter https:// and the host, such as https://www.example.com."
                )
            found.append(origin)
        if len(set(found)) > MOST_SITES:
            raise ValidationError(f"Enter at most {MOST_SITES} sites.")
        return sorted(set(found))

    def clean_swap_url(self) -> str:
        """
        Only over https: a script in the clear could be anybody's.

        :raises ValidationError: it is not.
        """
        url = str(self.cleaned_data["swap_url"])
        if url and not url.startswith("https://"):
            raise ValidationError("Enter a script address that starts with https://.")
        return url

    def clean_swap_integrity(self) -> str:
        """
        One hash as browsers read it.

        :raises ValidationError: it is none.
        """
        said = str(self.cleaned_data["swap_integrity"]).strip()
        if said and _INTEGRITY(said) is None:
            raise ValidationError("Enter sha384- and the hash in Base64, as the tracker provides it.")
        return said

    def clean(self) -> dict[str, Any]:
        """A hash is of a script."""
        said: dict[str, Any] = super().clean() or {}
        if said.get("swap_integrity") and not said.get("swap_url") and "swap_url" not in self.errors:
            self.add_error("swap_url", "Enter the address of the script that this hash belongs to.")
        return said
