"""What people say that pressed keys mean: one row a key, empty rows say nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from django import forms

from callprivacy.calls.enums import PressKind, PressPurpose, PressScope
from callprivacy.calls.providers.base import PRESS_NAME_LENGTH, plain_text
from callprivacy.calls.selectors.connections import PressRule
from callprivacy.lib.forms import LineField

ROWS_AT_MOST: Final = 20
EMPTY_ROWS: Final = 2

_KEY = re.compile(r"[0-9*#]{1,4}", re.ASCII).fullmatch


class _Saying(forms.ChoiceField):
    """Asked of whoever fills the row; an empty row leaves it out, and `PressForm.clean` knows which it is."""

    def validate(self, value: Any) -> None:
        if value:
            super().validate(value)


class _Several(forms.MultipleChoiceField):
    def validate(self, value: Any) -> None:
        if value:
            super().validate(value)


class PressForm(forms.Form):
    """One key, and what it says."""

    name = LineField(
        label="Menu, or name of the key",
        required=False,
        max_length=PRESS_NAME_LENGTH,
        help_text="As the tracker writes it. Empty: in any menu.",
    )
    value = LineField(
        label="Key",
        required=False,
        max_length=4,
        help_text="Digits, * or #. Empty where the tracker names its keys.",
    )
    kind = _Saying(label="The caller", choices=[("", "says nothing by it"), *PressKind.choices])
    purpose = _Several(label="About", choices=PressPurpose.choices, widget=forms.CheckboxSelectMultiple)
    scope = _Saying(label="For", choices=PressScope.choices)
    gates = forms.BooleanField(
        label="The recording starts only after this key",
        required=False,
        help_text="Only where the tracker waits for it. Otherwise a yes counts from the end of the call, because no "
        "tracker says when in the call a key was pressed; a no covers the whole call.",
    )

    def clean_name(self) -> str:
        raw = str(self.cleaned_data["name"])
        name = plain_text(raw, PRESS_NAME_LENGTH)
        if raw.strip() and not name:
            raise forms.ValidationError("Write the name of a menu or key, not a number or an address.")
        return name

    def clean_value(self) -> str:
        value = str(self.cleaned_data["value"]).strip()
        if value and _KEY(value) is None:
            raise forms.ValidationError("Up to four digits, * or #.")
        return value

    def clean(self) -> dict[str, Any]:
        """A row says everything or nothing."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        name, value = cleaned.get("name"), cleaned.get("value")
        if self.errors or not (name or value or cleaned.get("kind") or cleaned.get("purpose")):
            return cleaned
        if not name and not value:
            self.add_error("value", "Say which key, or which menu.")
        if not cleaned.get("kind"):
            self.add_error("kind", "Say what the caller says by it, or empty the row.")
        if not cleaned.get("purpose"):
            self.add_error("purpose", "Choose at least one.")
        if not cleaned.get("scope"):
            self.add_error("scope", "Choose how far it reaches.")
        if cleaned.get("kind") == PressKind.GIVEN and not name:
            self.add_error(
                "name",
                "Name the menu: in another one the same key means something else, and that would be no consent.",
            )
        return cleaned

    def rule(self) -> PressRule | None:
        """What the row says; None for an empty one."""
        said = self.cleaned_data
        if not said.get("kind"):
            return None
        return PressRule(
            said["name"],
            said["value"],
            tuple(said["purpose"]),
            said["kind"],
            said["scope"],
            gates=said["gates"] and said["kind"] == PressKind.GIVEN,
        )


if TYPE_CHECKING:
    _Rows = forms.BaseFormSet[PressForm]
else:
    _Rows = forms.BaseFormSet


class PressRows(_Rows):
    """
    All rows; no key says two things about one purpose.

    :ivar kept: the yeses that were there before, for who may not say that a key is one; None: any may be said.
    """

    kept: frozenset[PressRule] | None = None

    def clean(self) -> None:
        """Refuse a key that says two things about one purpose, and a new yes from who does not manage consent."""
        if any(self.errors):
            return
        seen: set[tuple[str, str, str]] = set()
        for form in self.forms:
            rule = form.rule()
            if rule is None:
                continue
            if self.kept is not None and rule.kind == PressKind.GIVEN and rule not in self.kept:
                form.add_error("kind", "That a key agrees is said by who manages consent. Ask one of them.")
            said = {(rule.name.casefold(), rule.value, purpose) for purpose in rule.purposes}
            if seen & said:
                form.add_error("purpose", "Another row says what this key means for one of these.")
            seen |= said

    def rules(self) -> list[PressRule]:
        """What all rows say, in their order."""
        return [rule for form in self.forms if (rule := form.rule()) is not None]


def press_rows(data: Any, *, rules: Sequence[PressRule], may_agree: bool) -> PressRows:
    """
    The rows there are, and two empty ones.

    :param may_agree: whether who fills them in may say that a key is a yes.
    """
    rows = forms.formset_factory(
        PressForm,
        formset=PressRows,
        extra=EMPTY_ROWS,
        max_num=ROWS_AT_MOST,
        absolute_max=ROWS_AT_MOST,
        validate_max=True,
    )
    initial = [
        {
            "name": rule.name,
            "value": rule.value,
            "kind": rule.kind,
            "purpose": list(rule.purposes),
            "scope": rule.scope,
            "gates": rule.gates,
        }
        for rule in rules
    ]
    # Each row is looked at as it was sent, whichever the browser says were there before.
    made = rows(
        data,
        initial=initial if data is None else None,
        prefix="keys",
        form_kwargs={"empty_permitted": False, "use_required_attribute": False},
    )
    if not isinstance(made, PressRows):
        raise TypeError
    if not may_agree:
        made.kept = frozenset(rule for rule in rules if rule.kind == PressKind.GIVEN)
    return made
