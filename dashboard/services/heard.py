"""
The demo's recordings and transcripts: brought, decided, redacted and stored by the services that a tracker's events
reach. Only the tracker is invented. What is in quarantine too long is then deleted by the worker, as in life.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Final

from callprivacy.calls.models import Recording
from callprivacy.calls.providers.base import CallFacts
from callprivacy.calls.providers.transcripts import Words
from callprivacy.calls.services import intake, transcripts
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from consent.channels.recordings import Fetched, Source
from consent.services import decisions, quarantine, store
from dashboard.demo import heard
from dashboard.services.said import Ground

_AT_ONCE: Final = timedelta(days=2)


def fill(grounds: Sequence[Ground], *, officer: Actor, at: datetime) -> None:
    """Have recordings and transcripts kept, and bring the calls that can be heard. Called outside any scope."""
    for ground in grounds:
        if not ground.talks:
            continue
        with job_scope(agency_id=ground.client.agency_id):
            quarantine.change_handling(
                client=ground.client,
                quarantine_hours=ground.client.quarantine_hours,
                stores_recordings=True,
                takes_transcripts=True,
                is_signed=True,
                by=officer,
                at=at,
            )
            client = Client.objects.select_related("agency").get(pk=ground.client.pk)
        facts = [fact for fact in ground.facts if fact.recording_reference in ground.talks]
        for _, together in groupby(facts, key=lambda fact: (at - fact.started_at) // _AT_ONCE):
            _bring(client, ground, list(together))


def _bring(client: Client, ground: Ground, facts: Sequence[CallFacts]) -> None:
    """Calls of two days, when the last of them is over."""
    at = facts[-1].started_at + timedelta(seconds=facts[-1].seconds or 0, minutes=1)
    [door] = [door for door in ground.doors if door.provider == ground.about.provider]
    intake.take_in(
        client=client,
        provider=door.provider,
        connection_id=door.pk,
        facts=facts,
        way=intake.Way.HOOK,
        at=at,
    )
    words = [
        (fact, Words(heard.transcript_of(ground.talks[fact.recording_reference or ""]), redacted=None))
        for fact in facts
    ]
    transcripts.take_in(client=client, provider=door.provider, said=words, at=at)
    with job_scope(agency_id=client.agency_id):
        fresh = Recording.objects.for_client(client).filter(decided_at=None, came_late=False)
        decisions.decide_calls(client, list(fresh.values_list("call_id", flat=True)), at)
        due = store.due(agency_id=client.agency_id, at=at)
    for one in due:
        store.fetch_recording(due=one, clock=lambda: at, chance=0, fetch=partial(_play, ground.talks))


def _play(talks: Mapping[str, Sequence[str]], source: Source, write: Callable[[bytes], object]) -> Fetched:
    """The invented tracker, asked for a recording."""
    sound = heard.wav_of(talks[source.url])
    write(sound)
    return Fetched(len(sound), "audio/wav")
