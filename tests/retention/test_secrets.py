"""Ages of secrets are told, and keys are changed while everybody works, whatever is killed."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.apps import apps

from callprivacy.accounts.enums import ApiScope
from callprivacy.accounts.services import api_keys, sso
from callprivacy.audit.models import Event
from callprivacy.calls.models import Pull
from callprivacy.calls.services import connections as ways
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.vault import selectors as vault
from callprivacy.vault import services as vault_services
from callprivacy.vault.fields import StrictEncryptedField
from callprivacy.vault.models import Caller, ClientKey
from callprivacy.work import services as queue
from callprivacy.work.models import Item, Notification
from consent.services import webhooks
from retention import kinds
from retention.enums import RotationState, SecretKind
from retention.models import Rotation, SecretLimit
from retention.selectors import secrets as selectors
from retention.selectors import watch
from retention.selectors.secrets import Secret, Standing
from retention.services import secrets, truth
from retention.services.secrets import Wish
from retention.tasks import secrets as tasks
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.make import NOON
from tests.scale import some

NUMBERS = [f"+121255502{n:02}" for n in range(12)]
REASON = "Our contract asks for half a year."
ALL = [SecretKind.CLIENT, SecretKind.TOKEN]
OUTSIDE = [SecretKind.MAIL, SecretKind.MAIL_IN, SecretKind.TEXTS, SecretKind.QUEUE, SecretKind.STORE]


def officer(cast: Cast) -> Actor:
    return Actor.staff(user_id=cast.alice.user_id)


def begin(cast: Cast, kind: SecretKind, client: Client | None, *, at: datetime | None = None) -> Rotation:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        return secrets.start_rotation(
            agency=cast.acme, kind=kind, client=client, by=officer(cast), at=at or make.now()
        )


def work(cast: Cast, rotation: Rotation, *, minutes: int = 5) -> Rotation:
    now = make.now()
    secrets.work_rotation(
        agency_id=cast.acme.pk,
        rotation_id=rotation.pk,
        until=now + timedelta(minutes=minutes),
        clock=make.now,
    )
    return again(cast, rotation)


def again(cast: Cast, rotation: Rotation) -> Rotation:
    with job_scope(agency_id=cast.acme.pk):
        return Rotation.objects.get(pk=rotation.pk)


def every(cast: Cast, at: datetime) -> list[Secret]:
    with job_scope(agency_id=cast.acme.pk):
        return selectors.every(cast.acme, Client.objects.filter(agency=cast.acme), at)


def of_kind(cast: Cast, kind: SecretKind, at: datetime) -> list[Secret]:
    return [one for one in every(cast, at) if one.kind == kind]


def age(days: int, **which: Any) -> None:
    made_at = make.now() - timedelta(days=days)
    ClientKey.objects.filter(**which).update(created_at=made_at, token_made_at=made_at)


def look(cast: Cast) -> int:
    return secrets.check_ages(agency_id=cast.acme.pk, at=make.now())


# --- rotations ---


@pytest.mark.parametrize("kind", ALL)
def test_a_key_is_rotated_and_everybody_is_found(
    cast: Cast, kind: SecretKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "_STEP", dict.fromkeys(ALL, 5))
    ids = vault_services.ensure_callers(client_id=cast.dentist.pk, numbers=NUMBERS, at=NOON)
    vault_services.suppress(client_id=cast.dentist.pk, numbers=NUMBERS[:3], purposes=["call"], at=NOON)
    age(10)

    row = work(cast, begin(cast, kind, cast.dentist))

    assert (row.state, row.done, row.failures) == (RotationState.DONE, row.total, 0)
    assert row.total == (12 if kind == SecretKind.CLIENT else 15)
    keys = vault.client_keys(cast.dentist.pk)
    assert vault.ids_of_numbers(keys, NUMBERS) == ids
    assert (keys.generation, keys.tokens.newest) == ((2, 1) if kind == SecretKind.CLIENT else (1, 2))
    assert len(keys.generations) == 1
    assert not keys.tokens.is_changing
    assert vault.suppressed(cast.dentist.pk, NUMBERS, on=NOON.date()).keys() == set(NUMBERS[:3])
    with job_scope(agency_id=cast.acme.pk):
        done = Event.objects.get(action="keys.rotated" if kind == SecretKind.CLIENT else "token_key.rotated")
        assert done.client_id == cast.dentist.pk
        assert Event.objects.get(action="rotation.started").actor_user_id == cast.alice.user_id


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("steps", some(range(4), one_in=3))
def test_a_worker_that_was_killed_is_gone_on_behind(
    cast: Cast, kind: SecretKind, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "_STEP", dict.fromkeys(ALL, 4))
    ids = vault_services.ensure_callers(client_id=cast.dentist.pk, numbers=NUMBERS, at=NOON)
    age(10)
    row = begin(cast, kind, cast.dentist)
    taken = iter(range(steps))

    class Killed(BaseException):
        """What a worker does when it is killed: nothing more."""

    def clock() -> datetime:
        if next(taken, None) is None:
            raise Killed
        return make.now() + timedelta(seconds=2)

    with pytest.raises(Killed):
        secrets.work_rotation(
            agency_id=cast.acme.pk,
            rotation_id=row.pk,
            until=make.now() + timedelta(minutes=1),
            clock=clock,
        )
    assert again(cast, row).state == RotationState.RUNNING
    keys = vault.client_keys(cast.dentist.pk)
    assert vault.ids_of_numbers(keys, NUMBERS) == ids
    with job_scope(agency_id=cast.acme.pk):
        Rotation.objects.update(leased_until=None)

    done = work(cast, row)

    assert (done.state, done.done, done.total) == (RotationState.DONE, 12, 12)
    keys = vault.client_keys(cast.dentist.pk)
    assert vault.ids_of_numbers(keys, NUMBERS) == ids
    assert keys.generation + keys.tokens.newest == 3, "one new key, however often it was taken up"


def test_a_rotation_stops_when_its_time_is_over_and_goes_on(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "_STEP", dict.fromkeys(ALL, 4))
    vault_services.ensure_callers(client_id=cast.dentist.pk, numbers=NUMBERS, at=NOON)
    age(10)
    row = begin(cast, SecretKind.TOKEN, cast.dentist)
    half = work(cast, row, minutes=0)
    assert (half.state, half.done, half.total, half.leased_until) == (RotationState.RUNNING, 4, 12, None)
    assert Caller.objects.filter(token_generation=2).count() == 4
    assert work(cast, row).state == RotationState.DONE


def test_two_workers_do_not_take_the_same_rotation(cast: Cast) -> None:
    row = begin(cast, SecretKind.CLIENT, cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        Rotation.objects.update(leased_until=make.now() + timedelta(minutes=2))
    assert work(cast, row).state == RotationState.RUNNING
    assert vault.client_keys(cast.dentist.pk).generation == 1


def test_a_fault_is_tried_again_and_then_waits_for_a_person(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: object) -> int:
        raise OSError

    age(10)
    row = begin(cast, SecretKind.TOKEN, cast.dentist)
    monkeypatch.setattr(vault_services, "start_token_key", broken)
    pauses = []
    for _ in range(secrets._TRIES):
        row = work(cast, row)
        pauses.append(row.leased_until)
        with job_scope(agency_id=cast.acme.pk):
            Rotation.objects.update(leased_until=None)
    assert row.state == RotationState.FAILED
    assert [pause is None for pause in pauses] == [False] * 7 + [True]
    assert sorted(filter(None, pauses)) == pauses[:-1]
    with job_scope(agency_id=cast.acme.pk):
        assert Item.objects.open().get(kind=kinds.ROTATION_STUCK).client_id is None
    monkeypatch.undo()
    assert work(cast, begin(cast, SecretKind.TOKEN, cast.dentist)).state == RotationState.DONE
    with job_scope(agency_id=cast.acme.pk):
        assert not Item.objects.open().filter(kind=kinds.ROTATION_STUCK).exists()


def test_a_key_is_changed_once_at_a_time_and_only_where_nobody_else_takes_part(cast: Cast) -> None:
    begin(cast, SecretKind.CLIENT, cast.dentist)
    begin(cast, SecretKind.TOKEN, cast.dentist)
    begin(cast, SecretKind.CLIENT, cast.plumber)
    with pytest.raises(secrets.RotatingAlreadyError):
        begin(cast, SecretKind.CLIENT, cast.dentist)
    for kind in set(SecretKind) - set(ALL):
        with pytest.raises(secrets.NotByItselfError):
            begin(cast, kind, cast.dentist)


def test_the_agencys_own_keys_are_rotated_with_its_registers(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        vault_services.create_client_keys(client_id=-cast.acme.pk, agency_id=cast.acme.pk, at=NOON)
    age(10)
    for kind in ALL:
        assert work(cast, begin(cast, kind, None)).state == RotationState.DONE
    keys = vault.client_keys(-cast.acme.pk)
    assert (keys.generation, keys.tokens.newest) == (2, 2)


# --- ages ---


def test_our_limits_hold_until_the_agency_sets_its_own(cast: Cast) -> None:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        assert selectors.limits()[SecretKind.CLIENT].days == 365
        wishes = [Wish(SecretKind.CLIENT, 180, False), Wish(SecretKind.API, None, True)]
        for changed in (1, 0):
            assert changed == secrets.set_limits(
                agency=cast.acme, wishes=wishes, reason=REASON, by=officer(cast), at=NOON
            )
        limit = selectors.limits()[SecretKind.CLIENT]
        assert (limit.days, limit.rotates_itself, limit.is_own) == (180, False, True)
    with job_scope(agency_id=cast.acme.pk):
        event = Event.objects.get(action="secret_limit.set")
    assert (event.details["was_days"], event.details["days"]) == (365, 180)
    assert event.reason_hash
    with job_scope(agency_id=cast.globex.pk):
        assert selectors.limits()[SecretKind.CLIENT].days == 365


@pytest.mark.parametrize(
    ("days", "standing"),
    [
        (0, Standing.GOOD),
        (334, Standing.GOOD),
        (335, Standing.SOON),
        (364, Standing.SOON),
        (365, Standing.OVER),
    ],
)
def test_an_age_is_good_then_soon_then_over(cast: Cast, days: int, standing: Standing) -> None:
    at = make.now()
    ClientKey.objects.filter(client_id=cast.dentist.pk).update(created_at=at - timedelta(days=days))
    found = [one for one in of_kind(cast, SecretKind.CLIENT, at) if one.client == cast.dentist]
    assert [(one.days(at), one.standing(at)) for one in found] == [(days, standing)]


def test_every_kind_of_secret_has_an_age(cast: Cast) -> None:
    at = make.now()
    with job_scope(agency_id=cast.acme.pk):
        ways.create_connection(
            client=cast.dentist,
            provider="callrail",
            name="CallRail",
            secret="s" * 20,
            by=officer(cast),
            at=at,
        )
        api_keys.create_key(
            client=cast.dentist, name="CRM", scopes=[ApiScope.CONTACT_CHECK], by=officer(cast), at=at
        )
    found = every(cast, at)
    unset = {SecretKind.ENDPOINT, SecretKind.SIGN_IN, SecretKind.METRICS, SecretKind.BACKUP, *OUTSIDE}
    assert {one.kind for one in found} - set(OUTSIDE) == set(SecretKind) - unset
    assert {one.client.slug for one in found if one.client} == {"dentist", "plumber"}
    assert not [one for one in found if one.standing(at + timedelta(days=1)) == Standing.OVER]


def test_the_key_of_a_vendors_list_has_an_age_and_a_page_where_it_is_changed(cast: Cast) -> None:
    at = make.now()
    with job_scope(agency_id=cast.acme.pk):
        way = ways.create_connection(
            client=cast.dentist, provider="callrail", name="Main", secret="s" * 20, by=officer(cast), at=at
        )
        truth.set_access(
            connection=way,
            account="ACC1",
            company="",
            key="k" * 32,
            by=officer(cast),
            at=at - timedelta(days=400),
        )
    (found,) = [one for one in of_kind(cast, SecretKind.CONNECTION, at) if one.is_of_a_list]
    assert (found.days(at), found.standing(at)) == (400, Standing.OVER)
    page = signed_in(cast.alice).get("/retention/secrets/?kind=connection").content.decode()
    assert f"/clients/dentist/copies/{way.pk}/" in page


def test_a_secret_of_an_endpoint_is_as_old_as_its_last_change(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "check_address", lambda *_, **__: "203.0.113.9")
    old, new = make.now() - timedelta(days=400), make.now() - timedelta(days=3)
    with job_scope(agency_id=cast.acme.pk):
        row, _ = webhooks.add_endpoint(
            client=cast.dentist, name="CRM", url="https://crm.example/", by=officer(cast), at=old
        )
    assert of_kind(cast, SecretKind.ENDPOINT, make.now())[0].standing(make.now()) == Standing.OVER
    with job_scope(agency_id=cast.acme.pk):
        webhooks.rotate_secret(endpoint=row, by=officer(cast), at=new)
    assert of_kind(cast, SecretKind.ENDPOINT, make.now())[0].made_at == new


def test_keys_of_the_installation_are_as_old_as_they_were_first_seen(cast: Cast, settings: Any) -> None:
    look(cast)
    look(cast)
    at = make.now()
    with job_scope(agency_id=cast.acme.pk):
        seen = Event.objects.filter(action="secret.first_seen")
        known = [event.details["kind"] for event in seen if event.details["kind"] not in OUTSIDE]
        assert sorted(known) == ["database", "django", "master", "signing"]
    assert {one.made_at for one in of_kind(cast, SecretKind.SIGNING, at)} == {cast.acme.created_at}
    settings.CALLPRIVACY_SIGNING_KEY = b"k" * 32
    look(cast)
    signing = of_kind(cast, SecretKind.SIGNING, make.now())
    assert len(signing) == 1
    assert make.now() - signing[0].made_at < timedelta(minutes=1)


def test_secrets_of_the_settings_have_ages_and_names_that_do_not_tell(cast: Cast, settings: Any) -> None:
    settings.CALLPRIVACY_METRICS_TOKEN = "a-token-of-the-metrics-1"
    settings.CALLPRIVACY_BACKUP_RECIPIENTS = ["age1two", "age1one"]
    look(cast)
    names = selectors.house_names()
    settings.CALLPRIVACY_BACKUP_RECIPIENTS = ["age1one", "age1two"]
    assert selectors.house_names() == names
    settings.CALLPRIVACY_METRICS_TOKEN = "a-token-of-the-metrics-2"
    look(cast)
    (token,) = of_kind(cast, SecretKind.METRICS, make.now())
    (recipients,) = of_kind(cast, SecretKind.BACKUP, make.now())
    assert make.now() - token.made_at < timedelta(minutes=1)
    assert recipients.made_at == cast.acme.created_at
    page = signed_in(cast.alice).get("/retention/secrets/?kind=metrics").content.decode()
    assert "the installation" in page
    assert "CALLPRIVACY_METRICS_TOKEN" in page
    assert "a-token-of" not in page


def test_what_opens_doors_of_others_has_an_age_each_and_the_page_says_how_it_is_changed(
    cast: Cast, settings: Any
) -> None:
    settings.MAILERS = {"default": {"OPTIONS": {"password": "the-mail-servers-own-1"}}}
    settings.ANYMAIL = {"WEBHOOK_SECRET": "postmark:the-incoming-mails-own"}
    settings.CALLPRIVACY_CODES = ("AC1", "the-texts-own-token", "+12125550100")
    settings.REDIS_URL = "redis://:the-queues-own@127.0.0.1:6379/0"
    settings.CALLPRIVACY_STORE_SECRET = "the-buckets-own"
    look(cast)
    settings.MAILERS = {"default": {"OPTIONS": {"password": "the-mail-servers-own-2"}}}
    look(cast)
    at = make.now()
    ages = {one.kind: one.made_at for one in every(cast, at) if one.kind in OUTSIDE}
    assert set(ages) == set(OUTSIDE)
    assert at - ages.pop(SecretKind.MAIL) < timedelta(minutes=1)
    assert set(ages.values()) == {cast.acme.created_at}
    page = signed_in(cast.alice).get("/retention/secrets/").content.decode()
    assert "s-own" not in page
    for name in ("MAIL_URL", "MAIL_HOOK_SECRET", "CALLPRIVACY_CODES", "REDIS_URL", "AWS_SECRET_ACCESS_KEY"):
        assert name in page


def test_the_key_by_which_a_tracker_is_asked_for_calls_has_an_age_and_a_page(cast: Cast) -> None:
    at = make.now()
    with job_scope(agency_id=cast.acme.pk):
        way = ways.create_connection(
            client=cast.dentist, provider="callrail", name="Main", secret="s" * 20, by=officer(cast), at=at
        )
        Pull.objects.create(
            agency=cast.acme, client=cast.dentist, connection=way, secret="k" * 32,
            secret_set_at=at - timedelta(days=400), created_at=at,
        )  # fmt: skip
    (found,) = [one for one in of_kind(cast, SecretKind.CONNECTION, at) if one.is_of_a_pull]
    assert (found.days(at), found.standing(at)) == (400, Standing.OVER)
    page = signed_in(cast.alice).get("/retention/secrets/?kind=connection").content.decode()
    assert f"/clients/dentist/connections/{way.pk}/list/" in page


def test_the_secret_of_the_sign_in_provider_is_as_old_as_its_last_change(cast: Cast) -> None:
    old, new = make.now() - timedelta(days=400), make.now() - timedelta(days=3)

    def name(said: str, at: datetime, *, called: str = "Our directory") -> None:
        with staff_scope(agency_id=cast.acme.pk, user_id=cast.carol.user_id):
            sso.set_up(
                agency=cast.acme,
                name=called,
                issuer="https://id.acme.example",
                application="callprivacy",
                secret=said,
                domains=["acme.example"],
                by=Actor.staff(user_id=cast.carol.user_id),
                at=at,
            )

    name("a-secret-at-the-provider", old)
    (found,) = of_kind(cast, SecretKind.SIGN_IN, make.now())
    assert (found.name, found.standing(make.now())) == ("Our directory", Standing.OVER)
    name("another-secret-at-the-provider", new)
    name("", new + timedelta(days=1), called="The directory")
    (found,) = of_kind(cast, SecretKind.SIGN_IN, make.now())
    assert (found.name, found.made_at) == ("The directory", new)
    page = signed_in(cast.alice).get("/retention/secrets/?kind=sign_in").content.decode()
    assert "/agency/sign-in/" in page
    assert "secret-at-the-provider" not in page


def test_no_model_keeps_a_secret_of_which_the_page_says_no_age() -> None:
    kept = {
        model._meta.label
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if isinstance(field, StrictEncryptedField)
    }
    assert kept == {
        "accounts.SignInProvider", "calls.ConnectionSecret", "calls.Pull", "consent.WebhookEndpoint",
        "retention.AlertEndpoint", "vault.ClientKey",
    }, "say its age in retention/selectors/secrets.py, then here"  # fmt: skip


def open_items(cast: Cast) -> dict[str, tuple[str, int | None]]:
    with job_scope(agency_id=cast.acme.pk):
        rows = Item.objects.open().filter(kind__in=[kinds.LIMIT_NEAR, kinds.LIMIT_PAST])
        return {row.key: (row.kind, row.count) for row in rows}


def told(cast: Cast, kind: str) -> set[int]:
    with job_scope(agency_id=cast.acme.pk):
        return set(Notification.objects.filter(kind=kind).values_list("user_id", flat=True))


def test_people_are_told_before_the_limit_and_at_it_once(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        SecretLimit.objects.create(
            agency=cast.acme, kind=SecretKind.CLIENT, days=365, rotates_itself=False, set_at=NOON
        )
    age(340, client_id=cast.dentist.pk)
    for _ in range(2):
        assert look(cast) == 0
    assert open_items(cast)["client"] == (kinds.LIMIT_NEAR, 1)
    assert told(cast, kinds.LIMIT_NEAR) == {cast.alice.user_id, cast.carol.user_id}
    age(366, client_id=cast.dentist.pk)
    look(cast)
    assert open_items(cast)["client"] == (kinds.LIMIT_PAST, 1)
    assert told(cast, kinds.LIMIT_PAST) == {cast.alice.user_id, cast.carol.user_id}
    age(1, client_id=cast.dentist.pk)
    look(cast)
    assert "client" not in open_items(cast)


def test_what_needs_nobody_is_changed_at_its_limit(cast: Cast) -> None:
    vault_services.ensure_callers(client_id=cast.dentist.pk, numbers=NUMBERS, at=NOON)
    age(800, client_id=cast.dentist.pk)
    age(10, client_id=cast.plumber.pk)
    assert look(cast) == 2
    assert look(cast) == 0
    assert not {"client", "token"} & open_items(cast).keys()
    tasks.work_rotations.run()
    keys = vault.client_keys(cast.dentist.pk)
    assert (keys.generation, keys.tokens.newest) == (2, 2)
    assert vault.client_keys(cast.plumber.pk).generation == 1
    with job_scope(agency_id=cast.acme.pk):
        assert set(Rotation.objects.values_list("state", flat=True)) == {RotationState.DONE}
        assert not Rotation.objects.filter(started_by__isnull=False).exists()
    assert look(cast) == 0


def test_nobody_has_to_change_what_a_client_that_left_had(cast: Cast, nobody_sends: None) -> None:
    with job_scope(agency_id=cast.acme.pk):
        api_keys.create_key(
            client=cast.dentist, name="CRM", scopes=[ApiScope.CONTACT_CHECK], by=officer(cast), at=make.now()
        )
    stopped = begin(cast, SecretKind.TOKEN, cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        Rotation.objects.filter(pk=stopped.pk).update(state=RotationState.FAILED)
        queue.open_item(
            kinds.ROTATION_STUCK, agency_id=cast.acme.pk, key=secrets._key(stopped), at=make.now()
        )
        assert watch.read(cast.acme, make.now()).rotations_failed == 1
        Client.objects.filter(pk=cast.dentist.pk).update(shut_at=make.now())
    age(800, client_id=cast.dentist.pk)
    age(10, client_id=cast.plumber.pk)

    assert not [one for one in every(cast, make.now()) if one.client == cast.dentist]
    assert look(cast) == 0, "no job changes them"
    with job_scope(agency_id=cast.acme.pk):
        assert not Item.objects.open().filter(kind=kinds.ROTATION_STUCK).exists()
        reading = watch.read(cast.acme, make.now())
        assert (reading.over, reading.rotations_failed) == ({}, 0)
    browser = signed_in(cast.alice)
    page = browser.get("/retention/secrets/").content.decode()
    assert "Dentist" not in page[page.index('id="secrets"') :]
    said = browser.post("/retention/secrets/rotate/", {"kind": "client", "client": "dentist"}, follow=True)
    assert "This client has left" in said.content.decode()
    with job_scope(agency_id=cast.acme.pk):
        assert Rotation.objects.count() == 1


@pytest.mark.parametrize(
    ("days", "itself", "needs"), [(366, True, False), (368, True, True), (366, False, True)]
)
def test_what_changes_by_itself_alarms_nobody_before_it_should_have(
    cast: Cast, days: int, itself: bool, needs: bool
) -> None:
    with job_scope(agency_id=cast.acme.pk):
        SecretLimit.objects.create(
            agency=cast.acme, kind=SecretKind.CLIENT, days=365, rotates_itself=itself, set_at=NOON
        )
    age(days, client_id=cast.dentist.pk)
    at = make.now()
    with job_scope(agency_id=cast.acme.pk):
        assert watch.read(cast.acme, at).over == ({"client": 1} if needs else {})


# --- the page ---


@pytest.fixture
def nobody_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks.work_rotations, "delay_on_commit", lambda **_: None, raising=False)


def test_the_page_shows_ages_and_never_a_secret(cast: Cast, nobody_sends: None) -> None:
    age(400, client_id=cast.dentist.pk)
    with job_scope(agency_id=cast.acme.pk):
        ways.create_connection(
            client=cast.dentist,
            provider="callrail",
            name="CallRail of the dentist",
            secret="a-signing-key-of-the-tracker",
            by=officer(cast),
            at=make.now(),
        )
        api_keys.create_key(
            client=cast.dentist,
            name="Dialler",
            scopes=[ApiScope.CONTACT_CHECK],
            by=officer(cast),
            at=make.now(),
        )
    for person in (cast.alice, cast.carol):
        page = signed_in(person).get("/retention/secrets/").content.decode()
        assert ("Dialler" in page) is (person is cast.alice)
        rows = page[page.index('id="secrets"') :]
        assert rows.index("Past the limit") < rows.index("Plumber")
        assert rows.index("Dentist") < rows.index("Plumber")
        keys = list(ClientKey.objects.all())
        assert keys
        for row in keys:
            assert row.key not in page
            assert row.token_key not in page
        assert "a-signing-key-of-the-tracker" not in page
    assert signed_in(cast.bob).get("/retention/secrets/").status_code == 403


def test_the_page_filters_by_kind_and_state(cast: Cast) -> None:
    age(400, client_id=cast.dentist.pk)
    page = signed_in(cast.alice).get("/retention/secrets/?kind=client&state=over").content.decode()
    rows = page[page.index('id="secrets"') :]
    rows = rows[: rows.index("</section>")]
    assert "Dentist" in rows
    assert "Plumber" not in rows
    assert "tokens" not in rows


def test_a_person_rotates_a_key_from_the_page(cast: Cast, nobody_sends: None) -> None:
    age(10)
    browser = signed_in(cast.carol)
    for _ in range(2):
        answer = browser.post("/retention/secrets/rotate/", {"kind": "client", "client": "plumber"})
        assert answer.status_code == 302
    with job_scope(agency_id=cast.acme.pk):
        row = Rotation.objects.get()
    assert (row.client_id, row.started_by_id) == (cast.plumber.pk, cast.carol.user_id)
    page = browser.get("/retention/secrets/").content.decode()
    assert 'hx-trigger="every 2s"' in page
    assert "changed already" in page
    part = browser.get("/retention/secrets/", headers={"HX-Request": "true"}).content.decode()
    assert part.lstrip().startswith("<section")
    work(cast, row)
    assert 'hx-trigger="every 2s"' not in browser.get("/retention/secrets/").content.decode()


def test_a_strangers_key_is_not_found_and_none_is_said_so(cast: Cast) -> None:
    browser, url = signed_in(cast.alice), "/retention/secrets/rotate/"
    for slug in ("florist", "no-such-client"):
        assert browser.post(url, {"kind": "client", "client": slug}).status_code == 404
    for said in ({"kind": "none"}, {}):
        assert browser.post(url, said).status_code == 302
        assert "Choose a key" in browser.get("/retention/secrets/").content.decode()
    with job_scope(agency_id=cast.acme.pk):
        assert not Rotation.objects.exists()


def test_an_officer_sets_limits_and_an_admin_may_not(cast: Cast) -> None:
    url = "/retention/secrets/limits/"
    said = {"client_days": "90", "token_itself": "on", "reason": REASON}
    assert signed_in(cast.carol).post(url, said).status_code == 403
    browser = signed_in(cast.alice)
    assert "at least 15" in browser.post(url, said | {"reason": "no"}).content.decode()
    assert browser.post(url, said).status_code == 302
    with job_scope(agency_id=cast.acme.pk):
        row = SecretLimit.objects.get()
    assert (row.kind, row.days, row.rotates_itself) == (SecretKind.CLIENT, 90, False)
