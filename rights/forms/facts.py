"""What a client said of itself, by which laws reach it."""

from collections.abc import Sequence
from typing import Any, Final

from django import forms

from callprivacy.lib.forms import LineField
from rights.law import Law
from rights.models import ClientFacts

_UNKNOWN: Final = [("", "Not known"), ("no", "It works for profit"), ("yes", "It does not work for profit")]
_HANDLED: Final = [("", "Not known"), ("yes", "It handles sensitive data"), ("no", "It handles none")]
_YES_OR_NO: Final = {"yes": True, "no": False}
_MOST: Final = 10**15
_PREFIXES: Final = {
    "people": "Of how many people there it handles data in a year",
    "traded": "Of how many people there it buys, sells or shares data in a year",
}


class FactsForm(forms.Form):
    """The figures that thresholds ask for; what is left empty is not known, and relaxes nothing."""

    nonprofit = forms.ChoiceField(label="For profit", choices=_UNKNOWN, required=False)
    revenue = forms.IntegerField(
        label="Gross revenue of the year before, in US dollars",
        required=False,
        min_value=0,
        max_value=_MOST,
        help_text="Of the whole company. Without cents.",
    )
    sale_share = forms.IntegerField(
        label="Share of it from selling or sharing personal data, in per cent",
        required=False,
        min_value=0,
        max_value=100,
    )
    sensitive = forms.ChoiceField(
        label="Sensitive data",
        choices=_HANDLED,
        required=False,
        help_text="Such as data on health, faith, origin, sex life, children, biometrics or a precise place.",
    )
    ask = LineField(
        label="Whom people may ask at the client",
        required=False,
        max_length=200,
        help_text="Named in answers that hand a person over to the client.",
    )

    def __init__(self, data: Any, *, row: ClientFacts | None, laws: Sequence[Law]) -> None:
        """Offer a field for each figure that one of these laws asks for in its state."""
        super().__init__(data, initial=_initial(row))
        self._states: list[tuple[str, str]] = []
        for law in laws:
            region = law.places[0][1]
            asked = {fact for way in law.reaches for fact, _, _ in way.figures}
            for fact in ("traded", "people"):
                if fact in asked and (fact, region) not in self._states:
                    self._states.append((fact, region))
                    self.fields[f"{fact}_{region}"] = forms.IntegerField(
                        label=f"{law.name}: {_PREFIXES[fact][0].lower()}{_PREFIXES[fact][1:]}",
                        required=False,
                        min_value=0,
                        max_value=_MOST,
                        help_text="Households and devices count in California."
                        if (fact, region) == ("traded", "CA")
                        else "",
                    )

    def said(self, row: ClientFacts | None) -> dict[str, Any]:
        """What is to be kept; figures of states that have no field here stay as they were."""
        given = self.cleaned_data
        found: dict[str, Any] = {"people": dict(row.people), "traded": dict(row.traded)} if row else {}
        for fact in ("people", "traded"):
            counts = found.setdefault(fact, {})
            for name, region in self._states:
                if name != fact:
                    continue
                value = given[f"{fact}_{region}"]
                counts.pop(region, None)
                if value is not None:
                    counts[region] = value
        return {
            "nonprofit": _YES_OR_NO.get(given["nonprofit"]),
            "sensitive": _YES_OR_NO.get(given["sensitive"]),
            "revenue": given["revenue"],
            "sale_share": given["sale_share"],
            "ask": given["ask"],
            **found,
        }


def _initial(row: ClientFacts | None) -> dict[str, Any]:
    if row is None:
        return {}
    counted = {
        f"{fact}_{region}": value
        for fact, values in (("people", row.people), ("traded", row.traded))
        for region, value in values.items()
    }
    return {
        "nonprofit": {True: "yes", False: "no", None: ""}[row.nonprofit],
        "revenue": row.revenue,
        "sale_share": row.sale_share,
        "sensitive": {True: "yes", False: "no", None: ""}[row.sensitive],
        "ask": row.ask,
        **counted,
    }
