"""What a person says about alerts."""

from django import forms

from callprivacy.lib.forms import URLLineField


class EndpointForm(forms.Form):
    """Where alerts are sent."""

    url = URLLineField(
        label="Address",
        max_length=500,
        assume_scheme="https",
        help_text="An https address of a system of yours, in the public network.",
    )
