"""Filters of the inbox, and bulk actions on its items."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.db.models import QuerySet
from django_filters import ChoiceFilter, FilterSet, ModelChoiceFilter

from callprivacy.accounts import access
from callprivacy.accounts.models import User
from callprivacy.work import kinds, selectors
from callprivacy.work.enums import Told
from callprivacy.work.kinds import Kind
from callprivacy.work.models import Item

_SNOOZES = (("1", "Tomorrow"), ("3", "In 3 days"), ("7", "In a week"))


class QueueFilter(FilterSet):
    kind = ChoiceFilter(empty_label="Every kind")
    client = ModelChoiceFilter(
        queryset=lambda request: access.visible_clients(request.membership, at=request.at),
        to_field_name="slug",
        empty_label="Every client",
    )
    owner = ChoiceFilter(
        choices=[("me", "Mine"), ("nobody", "Nobody's")], empty_label="Anybody", method="of_owner"
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Offer the kinds that there are among the rows, with their number, and the one that is asked for."""
        super().__init__(*args, **kwargs)
        counts = selectors.kinds_in(self.queryset)
        self.filters["kind"].extra["choices"] = [
            (kind.name, f"{kind.title} ({counts.get(kind.name, 0):,})")
            for kind in kinds.every()
            if kind.name in counts or kind.name == self.data.get("kind")
        ]

    @property
    def qs(self) -> QuerySet[Item]:
        """One row for each case among the items."""
        return selectors.folded(self.items())

    def items(self) -> QuerySet[Item]:
        rows: QuerySet[Item] = super().qs
        return rows

    def of_owner(self, rows: QuerySet[Item], _: str, value: str) -> QuerySet[Item]:
        return rows.filter(owner_id=self.request.membership.user_id if value == "me" else None)


def _ticked(label: str) -> forms.Select:
    """A choice for the selected rows of a table."""
    return forms.Select(attrs={"form": "ticked", "class": "control control-sm", "aria-label": label})


class BulkForm(forms.Form):
    """One action on the selected cases."""

    deed = forms.ChoiceField(choices=[("assign", "Assign"), ("snooze", "Snooze"), ("done", "Close as done")])
    owner = forms.ChoiceField(required=False, widget=_ticked("Assign to"))
    days = forms.ChoiceField(required=False, choices=_SNOOZES, widget=_ticked("Snooze until"))

    def __init__(self, *args: object, people: Sequence[User], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # passed on as they came
        self.fields["owner"].choices = [  # type: ignore[attr-defined]  # a field with choices
            ("", "Nobody"),
            *((str(person.pk), str(person)) for person in people),
        ]


class LeaverForm(forms.Form):
    """The person who takes over the tasks of a leaver."""

    to = forms.ChoiceField(label="Hand their open tasks to", required=False)

    def __init__(self, *args: object, people: Sequence[User], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # passed on as they came
        self.fields["to"].choices = [  # type: ignore[attr-defined]  # a field with choices
            ("", "Nobody: anyone with the permission"),
            *((str(person.pk), str(person)) for person in people),
        ]

    def clean_to(self) -> int | None:
        return int(self.cleaned_data["to"]) if self.cleaned_data["to"] else None


class MailForm(forms.Form):
    """How a person is notified of each kind of item."""

    everything = forms.ChoiceField(
        label="Everything without a choice of its own", choices=Told.choices, initial=Told.AT_ONCE
    )

    def __init__(
        self, *args: object, shown: Sequence[Kind], chosen: Mapping[str, Told], **kwargs: object
    ) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # passed on as they came
        self.fields["everything"].initial = chosen.get("", Told.AT_ONCE)
        self._kinds = [kind.name for kind in shown]
        for kind in shown:
            self.fields[f"kind_{kind.name}"] = forms.ChoiceField(
                label=kind.title,
                required=False,
                choices=[("", "As everything"), *Told.choices],
                initial=chosen.get(kind.name, ""),
                widget=forms.Select(attrs={"class": "select-sm"}),
            )

    def kinds(self) -> list[forms.BoundField]:
        return [self[f"kind_{name}"] for name in self._kinds]

    def told(self) -> dict[str, Told]:
        """Kind -> how, for the service."""
        chosen = {name: self.cleaned_data.get(f"kind_{name}") for name in self._kinds}
        return {"": Told(self.cleaned_data["everything"])} | {
            name: Told(how) for name, how in chosen.items() if how
        }
