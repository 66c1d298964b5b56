"""What staff say on a requests page and in the privacy notice."""

from typing import Any

from django import forms

from callprivacy.lib.forms import EmailLineField, LineField


class PageForm(forms.Form):
    """Whom people may ask; the rest of the notice comes from what is set up."""

    email = EmailLineField(label="E-mail for questions about privacy", required=False, max_length=254)
    phone = LineField(label="Phone for questions about privacy", required=False, max_length=40)
    address = LineField(label="Postal address", required=False, max_length=300)
    officer = LineField(
        label="Data protection officer",
        required=False,
        max_length=200,
        help_text="Name and address, where there is one.",
    )


class ClientPageForm(PageForm):
    """The same for a client, whose notice says more."""

    sells = forms.BooleanField(
        label="Facts about calls are sold, or shared for advertising across sites",
        required=False,
        help_text="Conversions that go back to an ad platform with the number in them are sharing in California.",
    )
    others = forms.CharField(
        label="Who else receives something",
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="One a line, such as “Example Hosting: keeps the servers”. Trackers, advertisers and endpoints that"
        " are set up here are named without this.",
    )
    more_en = forms.CharField(
        label="More for the notice, in English",
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    more_es = forms.CharField(
        label="More for the notice, in Spanish",
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 4, "lang": "es"}),
    )

    def clean(self) -> dict[str, Any]:
        """Who reads Spanish is told no less than who reads English."""
        said: dict[str, Any] = super().clean() or {}
        for here, there in (("more_en", "more_es"), ("more_es", "more_en")):
            if said.get(here) and not said.get(there):
                self.add_error(there, "Say it in this language too: the notice stands in both.")
        return said


class SeenForm(forms.Form):
    seen = forms.RegexField(r"^[0-9a-f]{64}\Z")

    def clean_seen(self) -> bytes:
        return bytes.fromhex(self.cleaned_data["seen"])
