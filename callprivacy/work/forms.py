"""Filters of the queue, and what is done to several items at once."""

from __future__ import annotations

from collections.abc import Sequence

from django import forms

from callprivacy.accounts.models import User
from callprivacy.tenancy.models import Client
from callprivacy.work import kinds

_SNOOZES = (("1", "Tomorrow"), ("3", "In 3 days"), ("7", "In a week"))


class QueueFilter(forms.Form):
    """What of the queue is shown."""

    kind = forms.ChoiceField(required=False)
    client = forms.ChoiceField(required=False)
    owner = forms.ChoiceField(
        required=False, choices=[("", "Anybody"), ("me", "Mine"), ("nobody", "Nobody's")], label="Owner"
    )

    def __init__(self, *args: object, clients: Sequence[Client], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        shown = [(kind.name, kind.title) for kind in kinds.every()]
        self.fields["kind"].choices = [("", "Every kind"), *shown]  # type: ignore[attr-defined]
        self.fields["client"].choices = [  # type: ignore[attr-defined]
            ("", "Every client"),
            *((client.slug, client.name) for client in clients),
        ]


class BulkForm(forms.Form):
    """One deed on the ticked items."""

    deed = forms.ChoiceField(
        choices=[("assign", "Hand over"), ("snooze", "Put off"), ("done", "Close as done")]
    )
    owner = forms.ChoiceField(required=False)
    days = forms.ChoiceField(required=False, choices=_SNOOZES)

    def __init__(self, *args: object, people: Sequence[User], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.fields["owner"].choices = [  # type: ignore[attr-defined]
            ("", "Nobody"),
            *((str(person.pk), str(person)) for person in people),
        ]


class LeaverForm(forms.Form):
    """Who takes over what somebody leaves behind."""

    to = forms.ChoiceField(label="Hand their open tasks to", required=False)

    def __init__(self, *args: object, people: Sequence[User], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.fields["to"].choices = [  # type: ignore[attr-defined]
            ("", "Nobody: they wait for whoever may"),
            *((str(person.pk), str(person)) for person in people),
        ]

    def clean_to(self) -> int | None:
        return int(self.cleaned_data["to"]) if self.cleaned_data["to"] else None
