"""What people say in the records of processing, and how long a link to a binder is good."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from callprivacy.lib.forms import LineField
from dashboard.channels.record import PURPOSES
from dashboard.models import RecordWords

_FIELDS = ("contact", "representative", "officer", "joint", "recipients", "measures")


class WordsForm(forms.Form):
    """The editable parts: who, to whom besides, what for in words, and measures outside this product."""

    contact = LineField(
        label="Name and contact of the agency",
        required=False,
        max_length=300,
        help_text="Address, e-mail, phone.",
    )
    officer = LineField(label="Data protection officer", required=False, max_length=300)
    representative = LineField(
        label="Representative in the Union",
        required=False,
        max_length=300,
        help_text="Where the agency has none there and the GDPR reaches it (article 27).",
    )
    joint = LineField(
        label="Joint controllers",
        required=False,
        max_length=500,
        help_text="Beside the clients whose engagement says so.",
    )
    recipients = forms.CharField(
        label="Who else receives data",
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="One a line. Trackers, advertisers and systems that are set up here are named without this.",
    )
    measures = forms.CharField(
        label="Measures outside this product",
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="One a line. What this product does is written by it, as far as it is on.",
    )

    def __init__(
        self, data: Any, *, row: RecordWords | None, clients: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        """
        Begin with what is kept; a purpose without words has ours.

        :param clients: as the facts of the records have them.
        """
        said = {name: getattr(row, name) for name in _FIELDS} if row else {}
        super().__init__(data, initial=said)
        for name, (title, usual) in PURPOSES.items():
            self.fields[f"purpose_{name}"] = LineField(
                label=f"Purpose: {title.lower()}",
                required=False,
                max_length=500,
                initial=(row.purposes.get(name) if row else "") or usual,
            )

        kept = row.representatives if row else {}
        self.of_clients = {str(client["id"]): f"representative_{client['id']}" for client in clients}
        for client in clients:
            self.fields[self.of_clients[str(client["id"])]] = LineField(
                label=f"Representative of {client['legal_name']} in the Union",
                required=False,
                max_length=300,
                initial=kept.get(str(client["id"]), ""),
                help_text="Whom this client named under article 27, with an address; empty where it needs none.",
            )

    def said(self) -> dict[str, Any]:
        """What is to be kept; words that are ours are not kept, so that better ones of a later release count."""
        given = self.cleaned_data
        purposes = {
            name: given[f"purpose_{name}"]
            for name, (_, usual) in PURPOSES.items()
            if given[f"purpose_{name}"] and given[f"purpose_{name}"] != usual
        }
        named = {pk: given[name] for pk, name in self.of_clients.items() if given[name]}
        return {**{name: given[name] for name in _FIELDS}, "purposes": purposes, "representatives": named}


class SeenForm(forms.Form):
    """The digest of what the page showed."""

    seen = forms.RegexField(r"^[0-9a-f]{64}\Z")

    def clean_seen(self) -> bytes:
        """As bytes."""
        return bytes.fromhex(self.cleaned_data["seen"])


class LinkForm(forms.Form):
    """How long a link is good."""

    days = forms.TypedChoiceField(
        label="Good for",
        coerce=int,
        choices=[(7, "7 days"), (14, "14 days"), (30, "30 days"), (60, "60 days")],
        initial=14,
    )


class ChangesForm(forms.Form):
    """Which changes of the law are shown; it lives in the address."""

    ours = forms.ChoiceField(
        label="Whom they touch",
        required=False,
        choices=[("", "Places of your clients"), ("all", "Everywhere")],
    )
    about = forms.ChoiceField(label="About", required=False)

    def __init__(self, data: Any, *, abouts: list[str]) -> None:
        super().__init__(data)
        field = self.fields["about"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  (declared above)
        field.choices = [("", "Anything"), *((one, one) for one in abouts)]
