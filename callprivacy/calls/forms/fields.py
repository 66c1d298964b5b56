"""What a tracker's fields mean, said beside the masked shape of one of its events."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from django import forms

from callprivacy.calls.enums import Direction
from callprivacy.calls.providers import mapped
from callprivacy.calls.providers.base import CallFacts, Ignored, RefusedError, UnparsableError
from callprivacy.calls.providers.tabular import ATTRIBUTION, FIELDS, REQUIRED
from callprivacy.lib import phone, zones

IF_KEPT: Final = "Dropped unless this client keeps landing pages and keywords."
_COUNTRIES: Final = ("US", "CA", "GB", "AU", "IE", "NZ", "DE", "FR", "ES", "MX")


@dataclass(frozen=True, slots=True, repr=False)
class Sample:
    """
    An event as a person may see it.

    :ivar paths: path -> what stands there, every letter and digit masked. :ivar read: what would be read of it, in
        words; :ivar problem: why it would not be.
    """

    paths: Mapping[str, str]
    problem: str = ""
    read: tuple[tuple[str, str], ...] = ()
    raw: tuple[str, bytes] | None = None


def read_sample(found: tuple[str, bytes] | None) -> Sample:
    """The shape of an event; empty where there is none."""
    if found is None:
        return Sample({})
    try:
        said = mapped.flat(found[1], found[0])
    except UnparsableError as error:
        return Sample({}, str(error))
    return Sample({path: mapped.masked(value) for path, value in said.items()}, raw=found)


def read_with(sample: Sample, fields: mapped.Fields, *, at: datetime) -> Sample:
    """The same event, and what would be read of it."""
    if sample.raw is None:
        return sample
    try:
        facts = mapped.parse(sample.raw[1], sample.raw[0], fields, at=at)
    except (RefusedError, UnparsableError) as error:
        return replace(sample, problem=str(error))
    if isinstance(facts, Ignored):
        return replace(sample, problem="It would be passed over: it is no call.")
    return replace(sample, read=tuple(_words(facts)))


def _words(facts: CallFacts) -> list[tuple[str, str]]:
    caller = phone.mask(facts.caller) if facts.caller else "withheld"
    said = [
        (FIELDS["started_at"], f"{facts.started_at:%Y-%m-%d %H:%M:%S} UTC"),
        (FIELDS["caller"], caller),
        (FIELDS["tracking_number"], phone.mask(facts.tracking_number) if facts.tracking_number else ""),
        (FIELDS["direction"], str(facts.direction.label) if facts.direction else ""),
        (FIELDS["seconds"], "" if facts.seconds is None else f"{facts.seconds} seconds"),
        (FIELDS["outcome"], str(facts.outcome.label) if facts.outcome else ""),
        (FIELDS["country"], facts.country),
        (FIELDS["region"], facts.region),
        (FIELDS["recording_reference"], "there is one" if facts.recording_reference else ""),
        (FIELDS["tags"], f"{len(facts.tags)}" if facts.tags else ""),
    ]
    return [(label, value) for label, value in said if value]


def _zones() -> list[tuple[str, str]]:
    return [(name, name) for name in sorted(zones.known())]


class FieldsForm(forms.Form):
    """One choice for each field of ours, among the paths that a tracker's events have."""

    numbers_of = forms.ChoiceField(
        label="Numbers without a + are of", choices=[(code, code) for code in _COUNTRIES], initial="US"
    )
    otherwise = forms.ChoiceField(label="Calls that do not say it are", choices=Direction.choices)
    zone = forms.ChoiceField(label="Times without an offset are of", choices=_zones)
    slashes = forms.ChoiceField(
        label="01/02/2026 is",
        required=False,
        choices=[("", "refused"), ("month first", "2 January"), ("day first", "1 February")],
    )

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        paths: Mapping[str, str],
        stored: mapped.Fields | None,
        zone: str,
    ) -> None:
        known = dict.fromkeys([*paths, *(stored.paths.values() if stored else ())])
        initial: dict[str, Any] = {"zone": zone, "otherwise": Direction.INBOUND}
        if stored is not None:
            initial |= dict(stored.paths)
            initial |= {"zone": stored.zone, "numbers_of": stored.region, "otherwise": stored.direction}
            initial["slashes"] = stored.slashes
        super().__init__(data, initial=initial)
        choices = [("", "it does not send that"), *((path, _label(path, paths)) for path in known)]
        ours = {}
        for name in mapped.MAPPABLE:
            ours[name] = forms.ChoiceField(
                label=FIELDS[name],
                choices=choices,
                required=name in REQUIRED,
                help_text=IF_KEPT if name in ATTRIBUTION else "",
            )
        self.fields = {**ours, **self.fields}

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        taken: dict[str, str] = {}
        for name in mapped.MAPPABLE:
            path = cleaned.get(name)
            if path and path in taken:
                self.add_error(name, f"This is chosen for “{FIELDS[taken[path]]}” already.")
            elif path:
                taken[path] = name
        return cleaned

    @property
    def ours(self) -> list[forms.BoundField]:
        return [self[name] for name in mapped.MAPPABLE]

    @property
    def manner(self) -> list[forms.BoundField]:
        """How what stands there is written."""
        return [self[name] for name in ("numbers_of", "otherwise", "zone", "slashes")]

    def fields_said(self) -> mapped.Fields:
        said = self.cleaned_data
        paths = {name: said[name] for name in mapped.MAPPABLE if said.get(name)}
        return mapped.Fields(paths, said["numbers_of"], said["otherwise"], said["zone"], said["slashes"])


def _label(path: str, paths: Mapping[str, str]) -> str:
    shape = paths.get(path, "")
    return f"{path}  ({shape})" if shape else path
