"""What people type about standards and the basis of measuring."""

from typing import Any

from django import forms

from consent.enums import Basis, Standard, UnknownAge
from consent.services.standards import LONGEST_REASON

_EXPLAINED = {
    Standard.EXPRESS: "Express consent: recordings are kept only if the caller consented by key, voice or form.",
    Standard.ANNOUNCE: "Announced: if the law allows it, an announcement after which the caller stays on the line "
    "is enough.",
    Standard.LEGAL_MINIMUM: "Legal minimum: if the law accepts one party's consent or a posted notice, nothing "
    "more is required.",
}


class StandardForm(forms.Form):
    """What a client asks of itself. Less than express consent is an officer's choice."""

    standard = forms.ChoiceField(
        widget=forms.RadioSelect, choices=[(each.value, words) for each, words in _EXPLAINED.items()]
    )
    counts_claimed = forms.BooleanField(
        label="Claimed consent counts",
        required=False,
        help_text="Anyone can enter any number in the web form. Without verification by code, the consent is claimed "
        "(grade D) and does not count.",
    )
    unknown_age = forms.ChoiceField(
        label="Callers of unknown age",
        choices=UnknownAge.choices,
        required=False,
    )
    reason = forms.CharField(
        label="Reason for less than express consent of a verified number",
        required=False,
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="At least 15 characters. Decisions based on claimed consent or an unknown age show it.",
    )

    def __init__(self, *args: Any, may_lower: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._may_lower = may_lower

    def clean_standard(self) -> Standard:
        chosen = Standard(self.cleaned_data["standard"])
        if chosen != Standard.EXPRESS and not self._may_lower:
            raise forms.ValidationError("Only a compliance officer can choose less than express consent.")
        return chosen

    def clean_counts_claimed(self) -> bool:
        counts = bool(self.cleaned_data["counts_claimed"])
        if counts and not self._may_lower:
            raise forms.ValidationError("Only a compliance officer can let claimed consent count.")
        return counts

    def clean_unknown_age(self) -> UnknownAge:
        return UnknownAge(self.cleaned_data["unknown_age"] or UnknownAge.ADULT)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        reason = str(cleaned.get("reason", "")).strip()
        is_less = cleaned.get("standard", Standard.EXPRESS) != Standard.EXPRESS or cleaned.get(
            "counts_claimed"
        )
        if is_less and len(reason) < 15:
            self.add_error("reason", "Enter a reason of at least 15 characters.")
        return cleaned


class DeclarationForm(forms.Form):
    """On what a client rests measuring its calls."""

    basis = forms.ChoiceField(
        label="Legal basis",
        choices=[(each.value, each.label) for each in Basis if each != Basis.NOTICE],
    )
    balancing_test = forms.CharField(
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 10}),
        help_text="Required for legitimate interests: the interest, why less data is not enough, and why the "
        "callers' interests do not override it.",
    )

    def clean_basis(self) -> Basis:
        return Basis(self.cleaned_data["basis"])

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        test = str(cleaned.get("balancing_test", "")).strip()
        if cleaned.get("basis") == Basis.LEGITIMATE_INTERESTS and len(test) < 100:
            self.add_error(
                "balancing_test",
                "Enter a balancing test of at least 100 characters. You can start from the included text.",
            )
        return cleaned
