"""What opens a tracker's list of calls, and the days of a backfill."""

import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final, NamedTuple

from django import forms

from callprivacy.calls.models import Pull
from callprivacy.lib.forms import DayField, LineField

_WORD = re.compile(r"[!-~]{8,200}", re.ASCII).fullmatch


class _Words(NamedTuple):
    """A field's label, its help, and the shape of what is written there; "" leaves the field out."""

    label: str
    help: str
    shape: str = r"[A-Za-z0-9_-]{1,64}"


_NONE: Final = _Words("", "")
_ACCOUNT: Final = {
    "callrail": _Words("Account id", "It stands in the address of CallRail's pages, after /a/."),
    "twilio": _Words(
        "Account SID", "AC and 32 letters and digits, of the account or subaccount.", r"AC[0-9a-zA-Z]{32}"
    ),
    "ctm": _Words("Account id", "The number of this client's account, in its address.", r"[0-9]{1,20}"),
    "invoca": _Words(
        "Network id", "The number of the network, from Invoca's page on its interfaces.", r"[0-9]{1,20}"
    ),
}
_COMPANY: Final = {
    "callrail": _Words(
        "Company id", "The company of this client. Without it, calls of every company of the account come."
    ),
}
_LOGIN: Final = {
    "ctm": _Words(
        "Access key",
        "It stands beside the secret key where the account's API is switched on.",
        r"[!-~]{4,128}",
    ),
    "invoca": _Words(
        "Name of the network",
        "The first word of its address: “acme” of acme.invoca.net.",
        r"[a-z0-9][a-z0-9-]{0,62}",
    ),
}
_SECRET: Final = {
    "callrail": _Words(
        "Key of the interface", "Made in CallRail under Settings, API keys. A key that only reads is enough."
    ),
    "twilio": _Words("Auth token", "Leave it empty to use the token that signs this connection's events."),
    "ctm": _Words("Secret key", "Of the account. It may be the one that signs this connection's events."),
    "invoca": _Words("API token", "Made in Invoca under Manage API Credentials."),
}


class AccessForm(forms.Form):
    """What opens one tracker's list; which fields there are, the tracker decides."""

    account = LineField(max_length=64, widget=forms.TextInput({"autocomplete": "off"}))
    company = LineField(max_length=64, required=False, widget=forms.TextInput({"autocomplete": "off"}))
    login = LineField(max_length=128, widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false"}))
    secret = LineField(
        max_length=400,
        required=False,
        widget=forms.PasswordInput({"autocomplete": "off", "spellcheck": "false"}),
    )
    only_known = forms.BooleanField(
        label="Several clients share this account",
        required=False,
        help_text="Then only calls to numbers that stand under this client's numbers are taken. Add its numbers first.",
    )

    def __init__(
        self, data: Mapping[str, Any] | None = None, *, provider: str, pull: Pull | None, has_secret: bool
    ) -> None:
        initial = {} if pull is None else {
            "account": pull.account, "company": pull.company, "login": pull.login, "only_known": pull.only_known
        }  # fmt: skip
        super().__init__(data, initial=initial)
        self.needs_secret = provider != "twilio" and not has_secret
        self.shapes: dict[str, str] = {}
        for name, words in (
            ("account", _ACCOUNT),
            ("company", _COMPANY),
            ("login", _LOGIN),
            ("secret", _SECRET),
        ):
            said = words.get(provider, _NONE)
            if not said.label:
                del self.fields[name]
                continue
            self.fields[name].label, self.fields[name].help_text = said.label, said.help
            self.shapes[name] = said.shape
        kept = " Empty keeps the one that is there, for the same calls." if has_secret else ""
        self.fields["secret"].help_text += f"{kept} It is encrypted at once and never shown again."
        if provider == "invoca":
            del self.fields["only_known"]  # its list does not say which number was dialled

    def _shaped(self, name: str) -> str:
        raw = str(self.cleaned_data[name]).strip()
        if raw and re.fullmatch(self.shapes[name], raw, re.ASCII) is None:
            raise forms.ValidationError("Paste it as the tracker shows it, without spaces.")
        return raw

    def clean_account(self) -> str:
        return self._shaped("account")

    def clean_company(self) -> str:
        return self._shaped("company")

    def clean_login(self) -> str:
        return self._shaped("login")

    def clean_secret(self) -> str:
        raw = str(self.cleaned_data["secret"]).strip()
        if not raw and self.needs_secret:
            raise forms.ValidationError("This field is required: without it the list does not open.")
        if raw and _WORD(raw) is None:
            raise forms.ValidationError(
                "Paste it as the tracker shows it: 8 to 200 letters, digits and signs."
            )
        return raw


class BackfillForm(forms.Form):
    """From which day to which; days of the client's zone."""

    from_on = DayField(
        label="From",
        help_text="This day is included.",
    )
    until_on = DayField(
        label="To",
        help_text="This day is included.",
    )

    def __init__(self, data: Mapping[str, Any] | None = None, *, today: date, keep_for_days: int) -> None:
        """:param keep_for_days: those of the calls that are kept longest."""
        self.today, self.keep_for_days = today, keep_for_days
        super().__init__(data, initial={"from_on": today - timedelta(days=30), "until_on": today})

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        first, last = cleaned.get("from_on"), cleaned.get("until_on")
        if first and first > self.today:
            self.add_error("from_on", "That day has not come yet.")
        if first and last and last < first:
            self.add_error("until_on", "The last day lies before the first.")
        if last and last < self.today - timedelta(days=self.keep_for_days):
            self.add_error(
                "until_on",
                f"No call of this client is kept for longer than {self.keep_for_days} days, "
                "so none of these days would be taken.",
            )
        return cleaned
