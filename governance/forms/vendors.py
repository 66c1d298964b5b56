"""What people type of vendors."""

from collections.abc import Iterator
from datetime import date
from typing import Any, Final

from django import forms

from callprivacy.calls.providers import TRACKERS
from callprivacy.lib.forms import DayField, LineField, URLLineField
from governance.enums import Answer, DataCategory, ReviewDecision, SubProcessorState, TransferTool, VendorRole
from governance.forms.breaches import without_number
from governance.law import vendors as law
from governance.models import Vendor
from governance.services.vendors import REVIEW_EVERY, Facts

_CLAUSES: Final = [(letter, f"({letter}) {words}") for letter, words in law.CLAUSES.items()]


class SheetForm(forms.Form):
    """Which sheet a new vendor starts from."""

    sheet = forms.ChoiceField(label="Start from", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", "An empty sheet"), *((sheet.id, sheet.name) for sheet in law.sheets().values())]
        self.fields["sheet"] = forms.ChoiceField(label="Start from", required=False, choices=choices)


class VendorForm(forms.Form):
    name = LineField(label="Name", max_length=120)
    role = forms.ChoiceField(label="Acts as", choices=VendorRole.choices)
    what_for = LineField(label="What it does for the agency", max_length=300)
    provider = forms.ChoiceField(
        label="Connections here that are its own",
        choices=[("", "None"), *sorted(TRACKERS.items())],
        required=False,
        help_text="Where connections are opened for reviewed vendors alone, this vendor’s review counts for them.",
    )
    categories = forms.MultipleChoiceField(
        label="Data it gets", choices=DataCategory.choices, widget=forms.CheckboxSelectMultiple
    )
    places = LineField(label="Where the data is stored", max_length=200, required=False)
    transfer = forms.ChoiceField(label="Transfers out of the EEA rest on", choices=TransferTool.choices)
    contract_on = DayField(label="Data processing agreement signed on", required=False)
    clauses = forms.MultipleChoiceField(
        label="The agreement has, by GDPR article 28(3)",
        choices=_CLAUSES,
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    source = URLLineField(label="Where its terms are", max_length=300, required=False, assume_scheme="https")
    is_verified = forms.BooleanField(
        label="I have checked all of this today",
        required=False,
        help_text="Until somebody has, the page says that it is to be verified.",
    )

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        if said.get("clauses") and not said.get("contract_on"):
            self.add_error("contract_on", "An agreement with these clauses was signed on some day: name it.")
        return said

    def facts(self) -> Facts:
        """What was typed, as the service takes it."""
        said = self.cleaned_data
        return Facts(
            name=said["name"],
            role=VendorRole(said["role"]),
            what_for=said["what_for"],
            categories=tuple(said["categories"]),
            places=said["places"],
            transfer=TransferTool(said["transfer"]),
            contract_on=said["contract_on"],
            clauses=tuple(said["clauses"]),
            source=said["source"],
            provider=said["provider"],
        )

    @staticmethod
    def initial_of(vendor: Vendor | Facts) -> dict[str, Any]:
        names = (
            "name", "role", "what_for", "provider", "categories", "places", "transfer", "contract_on", "clauses",
            "source",
        )  # fmt: skip
        return {name: getattr(vendor, name) for name in names}


class ReviewForm(forms.Form):
    """The answers of one review: two fields for each question, `answer_ID` and `note_ID`."""

    decision = forms.ChoiceField(label="Decision", choices=ReviewDecision.choices, widget=forms.RadioSelect)
    words = forms.CharField(
        label="Why, and under which conditions", max_length=1000, widget=forms.Textarea({"rows": 4})
    )
    next_on = DayField(label="Review it again on")

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today
        self.fields["next_on"].initial = today + REVIEW_EVERY
        for question in law.questions():
            self.fields[f"answer_{question.id}"] = forms.ChoiceField(
                label=question.words, choices=Answer.choices, widget=forms.RadioSelect
            )
            self.fields[f"note_{question.id}"] = LineField(label="Seen in", max_length=200, required=False)

    def clean_next_on(self) -> date:
        day: date = self.cleaned_data["next_on"]
        if not self.today < day <= self.today + 2 * REVIEW_EVERY:
            raise forms.ValidationError("Name a day within the next two years.")
        return day

    def asked(self) -> Iterator[tuple[law.Question, Any, Any]]:
        """Each question with its two bound fields."""
        for question in law.questions():
            yield question, self[f"answer_{question.id}"], self[f"note_{question.id}"]

    def answers(self) -> dict[str, Answer]:
        return {one.id: Answer(self.cleaned_data[f"answer_{one.id}"]) for one in law.questions()}

    def notes(self) -> dict[str, str]:
        """Question id -> where the evidence is."""
        return {one.id: self.cleaned_data[f"note_{one.id}"] for one in law.questions()}


class CertificateForm(forms.Form):
    name = LineField(label="Certificate", max_length=120, help_text="ISO 27001, SOC 2 Type II, ...")
    valid_until = DayField(label="Valid until")
    source = URLLineField(label="Where it is", max_length=300, required=False, assume_scheme="https")


class SubProcessorForm(forms.Form):
    """Whom a vendor engages."""

    name = LineField(label="Name", max_length=120)
    what_for = LineField(label="What for", max_length=300)
    places = LineField(label="Where", max_length=200, required=False)
    noticed_on = DayField(label="Announced on")
    object_until = DayField(label="Object until", required=False, help_text="If the contract gives a term.")


class SettleForm(forms.Form):
    """What is said of a sub-processor."""

    state = forms.ChoiceField(
        choices=[one for one in SubProcessorState.choices if one[0] != SubProcessorState.NOTICED]
    )


class IncidentForm(forms.Form):
    """What went wrong at a vendor."""

    happened_on = DayField(label="Happened on")
    learned_on = DayField(label="We learned of it on")
    words = forms.CharField(
        label="What happened",
        max_length=1000,
        widget=forms.Textarea({"rows": 3}),
        help_text="Without names or numbers of people. If data of ours may be concerned, report a breach as well.",
    )

    def clean_words(self) -> str:
        return without_number(self.cleaned_data["words"])

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        happened, learned = said.get("happened_on"), said.get("learned_on")
        if happened and learned and learned < happened:
            self.add_error("learned_on", "That is before it happened.")
        return said


class EndForm(forms.Form):
    """Since when a vendor is not used any more."""

    on = DayField(label="Not used since")
    reason = forms.CharField(
        label="Why, and what becomes of the data there",
        min_length=15,
        max_length=1000,
        widget=forms.Textarea({"rows": 3}),
    )


class UseAgainForm(forms.Form):
    """Why a vendor is used again."""

    reason = forms.CharField(
        label="Why, and since when", min_length=15, max_length=1000, widget=forms.Textarea({"rows": 3})
    )


class EndCertificateForm(forms.Form):
    """Why a certificate does not count any more."""

    reason = LineField(
        label="Why",
        min_length=5,
        max_length=300,
        help_text="Another took its place, or it was noted wrongly. Note the right one beside it.",
    )
