"""Filters of the queue, and what is done to several items at once."""

from collections.abc import Mapping, Sequence

from django import forms

from callprivacy.accounts.models import User
from callprivacy.tenancy.models import Client
from callprivacy.work import kinds
from callprivacy.work.enums import Told
from callprivacy.work.kinds import Kind

_SNOOZES = (("1", "Tomorrow"), ("3", "In 3 days"), ("7", "In a week"))


class QueueFilter(forms.Form):
    kind = forms.ChoiceField(required=False)
    client = forms.ChoiceField(required=False)
    owner = forms.ChoiceField(
        required=False, choices=[("", "Anybody"), ("me", "Mine"), ("nobody", "Nobody's")], label="Owner"
    )

    def __init__(
        self,
        *args: object,
        clients: Sequence[Client],
        waiting: Mapping[str, int],
        **kwargs: object,
    ) -> None:
        """:param waiting: how many items of each kind there are; other kinds are offered where one is asked for."""
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # passed on as they came
        shown = [
            (kind.name, f"{kind.title} ({waiting.get(kind.name, 0):,})")
            for kind in kinds.every()
            if kind.name in waiting or kind.name == self.data.get("kind")
        ]
        self.fields["kind"].choices = [("", "Every kind"), *shown]  # type: ignore[attr-defined]  # a field with choices
        self.fields["client"].choices = [  # type: ignore[attr-defined]  # a field with choices
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
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # passed on as they came
        self.fields["owner"].choices = [  # type: ignore[attr-defined]  # a field with choices
            ("", "Nobody"),
            *((str(person.pk), str(person)) for person in people),
        ]


class LeaverForm(forms.Form):
    """Who takes over what somebody leaves behind."""

    to = forms.ChoiceField(label="Hand their open tasks to", required=False)

    def __init__(self, *args: object, people: Sequence[User], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # passed on as they came
        self.fields["to"].choices = [  # type: ignore[attr-defined]  # a field with choices
            ("", "Nobody: they wait for whoever may"),
            *((str(person.pk), str(person)) for person in people),
        ]

    def clean_to(self) -> int | None:
        return int(self.cleaned_data["to"]) if self.cleaned_data["to"] else None


class MailForm(forms.Form):
    """How a person is told of each kind of thing."""

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
        found = {name: self.cleaned_data.get(f"kind_{name}") for name in self._kinds}
        return {"": Told(self.cleaned_data["everything"])} | {
            name: Told(how) for name, how in found.items() if how
        }
