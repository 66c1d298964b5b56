"""What a person says about secrets and their ages."""

from typing import Any

from django import forms

from retention.enums import SecretKind
from retention.selectors.secrets import ITSELF, Limit, Standing
from retention.services.secrets import Wish


class SecretFilter(forms.Form):
    kind = forms.ChoiceField(label="Kind", required=False, choices=[("", "Every kind"), *SecretKind.choices])
    state = forms.ChoiceField(
        label="State",
        required=False,
        choices=[
            ("", "Every state"),
            (Standing.OVER.value, "Past the limit"),
            (Standing.SOON.value, "Within 30 days of it"),
            (Standing.GOOD.value, "Good"),
        ],
    )


class RotateForm(forms.Form):
    """Whose key is changed; without a client, the agency's own."""

    kind = forms.ChoiceField(choices=SecretKind.choices)
    client = forms.SlugField(required=False)


class LimitsForm(forms.Form):
    """After how many days each kind is changed."""

    def __init__(self, *args: Any, limits: dict[SecretKind, Limit], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for kind, limit in limits.items():
            self.fields[f"{kind.value}_days"] = forms.IntegerField(
                label=f"{kind.label}, days",
                min_value=7,
                max_value=3650,
                required=False,
                initial=limit.days if limit.is_own else None,
                help_text=f"Empty: {limit.default_days} days.",
            )
            if kind in ITSELF:
                self.fields[f"{kind.value}_itself"] = forms.BooleanField(
                    label=f"{kind.label} are changed by themselves at the limit",
                    required=False,
                    initial=limit.rotates_itself,
                )
        self.fields["reason"] = forms.CharField(
            label="Why",
            min_length=15,
            max_length=500,
            widget=forms.Textarea(attrs={"rows": 2}),
            help_text="At least 15 characters. The audit log keeps it encrypted.",
        )

    def wishes(self) -> list[Wish]:
        """What was said, kind by kind."""
        said = self.cleaned_data
        return [
            Wish(kind, said[f"{kind.value}_days"], bool(said.get(f"{kind.value}_itself")))
            for kind in SecretKind
        ]
