"""What a person types about policies."""

from collections.abc import Iterable
from typing import Any

from django import forms

from callprivacy.lib.forms import LineField
from callprivacy.tenancy.models import Client
from retention.enums import Then
from retention.law.categories import About


class PolicyForm(forms.Form):
    """
    How long a category is kept, what happens then, and why that changes.

    :param inherits: what an empty field means, in words; None: there must be a number.
    """

    days = forms.IntegerField(label="Keep for (days)", required=False)
    then = forms.ChoiceField(label="Then", choices=Then, initial=Then.ERASE)
    reason = forms.CharField(
        label="Why this changes",
        min_length=15,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="At least 15 characters. The officer who agrees reads it. The audit log keeps it encrypted.",
    )

    def __init__(self, *args: Any, about: About, inherits: str | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._about = about
        field = self.fields["days"]
        field.widget.attrs |= {"min": about.least, "max": about.most}
        field.help_text = inherits or ""
        field.required = inherits is None
        if not about.may_reduce:
            del self.fields["then"]

    def clean_days(self) -> int | None:
        """Days that the calendar has: the effect of others cannot be computed."""
        days: int | None = self.cleaned_data["days"]
        if days is not None and (refused := self._about.refused(days)):
            raise forms.ValidationError(refused)
        return days

    @property
    def wanted_then(self) -> Then:
        """What happens when the days are over."""
        return Then(self.cleaned_data.get("then") or Then.ERASE)


class SeenEffectForm(forms.Form):
    """What a person was shown of a change before confirming it."""

    due_before = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    due_after = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    leaving = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    rules = LineField(required=False, max_length=1000, widget=forms.HiddenInput)
    answered = forms.BooleanField(required=False)

    @property
    def rule_ids(self) -> frozenset[str]:
        """The rules that were shown as wanting a reason."""
        return frozenset(self.cleaned_data["rules"].split())


class DecisionForm(forms.Form):
    """Why a change is not to be."""

    reason = forms.CharField(
        label="Why",
        min_length=15,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="At least 15 characters. The audit log keeps it encrypted.",
    )


class MatrixForm(forms.Form):
    q = LineField(label="Client", required=False, max_length=80)
    only = forms.ChoiceField(
        label="Show",
        required=False,
        choices=[("", "All"), ("own", "With a policy of their own"), ("beyond", "Beyond a rule of the law")],
    )


class CalendarForm(forms.Form):
    client = forms.ChoiceField(label="Client", required=False)

    def __init__(self, *args: Any, clients: Iterable[Client], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", "All clients"), *((client.slug, client.name) for client in clients)]
        self.fields["client"] = forms.ChoiceField(label="Client", required=False, choices=choices)
