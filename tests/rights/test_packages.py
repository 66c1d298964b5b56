"""A package holds everything about the proven person and nothing of others, and is fetched once, after a proof."""

import csv
import io
import json
import wave
import zipfile
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import override_settings

from callprivacy.audit.models import Event
from callprivacy.calls.channels.asking import basic
from callprivacy.calls.models import Call, Connection, Recording
from callprivacy.calls.services import connections
from callprivacy.tenancy.enums import Answerer
from callprivacy.tenancy.models import Agency
from callprivacy.tenancy.scope import client_scope, job_scope
from callprivacy.vault import files
from callprivacy.vault import selectors as vault
from consent.channels import callrail
from consent.enums import Purpose
from consent.models import Decision
from governance.enums import TransferTool, VendorRole
from governance.models import Vendor
from governance.services import vendors
from retention.services import files_sweep, truth
from rights.channels import package as channel
from rights.enums import Ask, Decided, OtherParty, PackageState, ProofKind
from rights.models import Case, Download, Package, Proof, Submission
from rights.services import deciding, packages
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.consent import tracker_side, twilio_side
from tests.retention import lists_side
from tests.retention.lists_side import CALLRAIL_ACCOUNT, CALLRAIL_KEY
from tests.rights import asking
from tests.rights.asking import ANNA, BEN, BY_PAGE, Office
from tests.scale import some

pytestmark = pytest.mark.django_db


@pytest.fixture
def office(cast: Cast) -> Office:
    for client in (cast.dentist, cast.plumber):
        make.grant(cast.alice, client)
        asking.answered_by(client, Answerer.AGENCY)
    return Office(cast)


def made(cast: Cast, office: Office, submission: Submission, **said: Any) -> Package:
    case = asking.case_of(submission, Ask.COPY)
    office.does(deciding.decide, case=case, decided=Decided.FULFIL, ground="", words="", **said)
    asking.work(cast.acme)
    with job_scope(agency_id=cast.acme.pk):
        return Package.objects.select_related("case__submission").get(case=case)


def asked(cast: Cast, *, client: Any = None, **facts: Any) -> Submission:
    submission = asking.asked(client, Ask.COPY, agency=cast.acme, **facts)
    asking.prove(submission)
    asking.search(submission)
    return submission


def link(package: Package, at: Any = make.NOON) -> str:
    with client_scope(agency_id=package.agency_id, client_id=package.client_id or 0):
        proof = Proof.objects.filter(submission=package.case.submission, kind=ProofKind.TEXT_CODE).first()
        assert proof is not None
        return packages.new_link(package=package, proof=proof, by=BY_PAGE, at=at)


def fetched(package: Package, token: str, at: Any = make.NOON) -> zipfile.ZipFile:
    with client_scope(agency_id=package.agency_id, client_id=package.client_id or 0):
        taken = packages.take(token=token, by=BY_PAGE, at=at)
    return zipfile.ZipFile(io.BytesIO(packages.read_all(taken)))


def test_everything_of_the_person_is_in_it_and_nothing_of_others(cast: Cast, office: Office) -> None:
    call = make.call(cast.dentist, ANNA, source="=ads", seconds=61)
    make.recording(call, "https://vendor.example/r/1")
    other = make.call(cast.dentist, BEN, source="bens")
    asking.asked(cast.dentist, Ask.DO_NOT_CONTACT)
    package = made(cast, office, asked(cast, client=cast.dentist))

    assert package.contents["calls"] == 1
    archive = fetched(package, link(package))
    data = json.loads(archive.read(channel.DATA))
    assert data["schema"] == channel.SCHEMA
    (company,) = data["companies"]
    assert (company["name"], [one["id"] for one in company["calls"]]) == ("Dentist", [str(call.pk)])
    assert company["calls"][0]["recording"]["withheld"] == packages.OTHERS
    assert {one["purpose"] for one in company["consents"]} == {"contact"}
    assert company["consents"][0]["evidence"]["said"] == "no"
    assert [one["asked"] for one in company["requests"]] == ["do_not_contact"]
    about = company["particulars"]
    assert any("Dentist LLC" in line for line in about["controllers"])
    assert any(line.startswith("Evidence of consent: 1,827 days") for line in about["kept_for"])
    rows = list(csv.reader(io.StringIO(archive.read("calls.csv").decode("utf-8-sig"))))
    assert (len(rows), rows[1][rows[0].index("source")]) == (2, "'=ads")
    page = archive.read(channel.PAGE).decode()
    assert "Dentist LLC" in page
    assert "bens" not in page
    assert str(other.pk) not in page
    assert archive.read(channel.PDF)[:5] == b"%PDF-"


def test_a_link_works_once_for_the_proven_and_every_download_is_written_down(
    cast: Cast, office: Office
) -> None:
    package = made(cast, office, asked(cast, client=cast.dentist))
    token = link(package)
    fetched(package, token)
    with pytest.raises(packages.UsedError):
        fetched(package, token)
    with pytest.raises(packages.UsedError):
        fetched(package, "made-up")
    late = link(package)
    with pytest.raises(packages.UsedError):
        fetched(package, late, at=make.NOON + timedelta(hours=2))
    with pytest.raises(packages.NotFreshError):
        link(package, at=make.NOON + timedelta(hours=1))
    with job_scope(agency_id=cast.acme.pk):
        (row,) = Download.objects.filter(package=package)
        assert row.event_id is not None
        event = Event.objects.get(pk=row.event_id)
        assert (event.action, event.client_id) == ("package.fetched", cast.dentist.pk)


def test_a_newer_link_ends_the_one_before_and_only_its_digest_is_kept(cast: Cast, office: Office) -> None:
    package = made(cast, office, asked(cast, client=cast.dentist))
    old, new = link(package), link(package)
    with job_scope(agency_id=cast.acme.pk):
        row = str(Package.objects.filter(pk=package.pk).values())
    assert not {word for word in (old, new) if word in row}
    with pytest.raises(packages.UsedError):
        fetched(package, old)
    assert fetched(package, new).namelist()


def test_a_proof_of_another_request_opens_nothing(cast: Cast, office: Office) -> None:
    package = made(cast, office, asked(cast, client=cast.dentist))
    other = asking.asked(cast.dentist, Ask.COPY, numbers=[BEN])
    asking.prove(other, BEN)
    with client_scope(agency_id=cast.acme.pk, client_id=cast.dentist.pk):
        proof = Proof.objects.get(submission=other, kind=ProofKind.TEXT_CODE)
        with pytest.raises(packages.NotFreshError):
            packages.new_link(package=package, proof=proof, by=BY_PAGE, at=make.NOON)


def test_after_seven_days_the_file_is_gone(cast: Cast, office: Office) -> None:
    package = made(cast, office, asked(cast, client=cast.dentist))
    assert package.file_key is not None
    assert files.exists(cast.dentist.pk, package.file_key)
    assert packages.expire(agency_id=cast.acme.pk, at=make.NOON + timedelta(days=6)) == 0
    assert packages.expire(agency_id=cast.acme.pk, at=make.NOON + timedelta(days=7)) == 1
    assert packages.expire(agency_id=cast.acme.pk, at=make.NOON + timedelta(days=7)) == 0
    assert not files.exists(cast.dentist.pk, package.file_key)
    with job_scope(agency_id=cast.acme.pk):
        assert Package.objects.get(pk=package.pk).state == PackageState.GONE


def test_the_agencys_own_package_names_only_clients_that_it_answers_for(cast: Cast, office: Office) -> None:
    for client in (cast.dentist, cast.plumber, cast.florist):
        make.call(client, ANNA)
    asking.answered_by(cast.plumber, Answerer.CLIENT)
    package = made(cast, office, asked(cast))
    archive = fetched(package, link(package))
    data = json.loads(archive.read(channel.DATA))
    assert [one["name"] for one in data["companies"]] == ["Dentist"]
    assert "Plumber" not in archive.read(channel.PAGE).decode()


def test_no_sweep_takes_the_file_of_a_package_before_its_time(cast: Cast, office: Office) -> None:
    packed = [made(cast, office, asked(cast)), made(cast, office, asked(cast, client=cast.dentist))]
    later = make.now() + timedelta(days=3)
    files_sweep.sweep_own(agency_id=cast.acme.pk, at=later)
    files_sweep.sweep_client(agency_id=cast.acme.pk, client_id=cast.dentist.pk, at=later)
    for package in packed:
        assert package.file_key is not None
        assert files.exists(package.holder_id, package.file_key)
        with job_scope(agency_id=cast.acme.pk):
            assert Package.objects.get(pk=package.pk).file_key == package.file_key


def test_what_is_older_than_the_proof_shows_is_left_out_and_said(cast: Cast, office: Office) -> None:
    make.call(cast.dentist, ANNA)
    make.call(cast.dentist, ANNA, at=make.NOON - timedelta(days=300))
    submission = asked(cast, client=cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        submission.identities.update(from_at=make.NOON - timedelta(days=100))
    package = made(cast, office, submission)
    assert package.contents["calls"] == 1
    assert any(line.startswith("Older calls") for line in package.contents["left_out"])


@pytest.mark.thorough
def test_whoever_looked_at_whose_older_calls_are_has_them_shown(cast: Cast, office: Office) -> None:
    make.call(cast.dentist, ANNA)
    make.call(cast.dentist, ANNA, at=make.NOON - timedelta(days=300))
    submission = asked(cast, client=cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        submission.identities.update(from_at=make.NOON - timedelta(days=100))
        identity = submission.identities.get()
    case, browser = asking.case_of(submission, Ask.COPY), signed_in(cast.alice)
    page = f"/requests/{case.pk}/identities/{identity.pk}/"
    assert "1 older call would not be in it" in browser.get(f"/requests/{case.pk}/decide/").content.decode()
    assert "Older calls" in browser.get(page).content.decode()
    said = {
        "since": (make.NOON - timedelta(days=400)).date().isoformat(),
        "seen": "A bill of the line of 2025.",
    }
    assert browser.post(f"{page}older/", said | {"seen": ""}).status_code == 422
    later = said | {"since": make.NOON.date().isoformat()}
    assert "shown already" in browser.post(f"{page}older/", later).content.decode()
    assert signed_in(cast.mallory).post(f"{page}older/", said).status_code == 404
    assert browser.post(f"{page}older/", said).status_code == 302

    package = made(cast, office, submission)
    assert package.contents["calls"] == 2
    assert package.contents["left_out"] == [
        line for line in package.contents["left_out"] if "Older" not in line
    ]
    with job_scope(agency_id=cast.acme.pk):
        assert Event.objects.filter(action="identity.reaches_back").count() == 1
    assert browser.post(f"{page}older/", said).status_code == 302
    with job_scope(agency_id=cast.acme.pk):
        assert Event.objects.filter(action="identity.reaches_back").count() == 1, "it is decided"


def test_words_that_only_the_tracker_has_are_fetched_for_it(
    cast: Cast, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = make.call(cast.dentist, ANNA)
    make.recording(call, f"https://api.callrail.com/v3/a/{CALLRAIL_ACCOUNT}/calls/CAL77/recording.json")
    silent = make.call(cast.dentist, ANNA, at=make.NOON - timedelta(days=4))
    make.recording(silent, f"https://api.callrail.com/v3/a/{CALLRAIL_ACCOUNT}/calls/CAL78/recording.json")
    with job_scope(agency_id=cast.acme.pk):
        way = connections.create_connection(
            client=cast.dentist, provider="callrail", name="Main", secret="s" * 32, by=make.JOB, at=make.NOON
        )
        truth.set_access(
            connection=way, account=CALLRAIL_ACCOUNT, company="", key=CALLRAIL_KEY, by=make.JOB, at=make.NOON
        )
    with lists_side.interface() as lists:
        monkeypatch.setattr(callrail, "BASE", lists.url)
        lists.words["CAL77"] = "My number is 212 555 0199, call me on Monday."
        package = made(cast, office, asked(cast, client=cast.dentist))
    assert package.contents["transcripts"] == 1
    data = json.loads(fetched(package, link(package)).read(channel.DATA))
    told = {one["id"]: one for one in data["companies"][0]["calls"]}
    assert "Monday" in told[str(call.pk)]["words"]
    assert "0199" not in told[str(call.pk)]["words"]
    assert told[str(silent.pk)]["transcript"]["what"] == "not kept here, and the call tracker has none"


SID = "RE" + "5" * 32
TRANSCRIPT = {"sid": "GT" + "1" * 32, "status": "completed", "date_created": "2026-11-20T10:00:00Z"}
SAID = [
    {"media_channel": 2, "sentence_index": 1, "transcript": "On Monday."},
    {"media_channel": 1, "sentence_index": 0, "transcript": "Call me back at 212 555 0199."},
]
WITH_SENTENCES = (200, {"transcripts": [TRANSCRIPT], "meta": {}})
NO_LIST: tuple[int, dict[str, Any]] = (200, {"transcripts": [], "meta": {}})
TRANSCRIBED = (200, {"transcriptions": [{"status": "completed", "transcription_text": "On Monday."}]})


def at_twilio(cast: Cast, *, provider: str = "twilio") -> Call:
    """A call whose recording is with a tracker, which is connected."""
    call = make.call(cast.dentist, ANNA)
    with job_scope(agency_id=cast.acme.pk):
        way = connections.create_connection(
            client=cast.dentist, provider=provider, name="Main", secret=twilio_side.TOKEN, by=make.JOB, at=make.NOON
        )  # fmt: skip
        if provider == "twilio":
            Connection.objects.filter(pk=way.pk).update(mapping={"account": twilio_side.ACCOUNT})
        Call.objects.filter(pk=call.pk).update(connection=way)
    row = make.recording(
        call, f"https://api.twilio.com/2010-04-01/Accounts/{twilio_side.ACCOUNT}/Recordings/{SID}"
    )
    with job_scope(agency_id=cast.acme.pk):
        Recording.objects.filter(pk=row.pk).update(provider=provider)
    return call


@pytest.mark.parametrize(
    ("answers", "what"),
    some(
        [
            ([WITH_SENTENCES, (200, {"sentences": SAID, "meta": {"next_page_url": None}})], "fetched"),
            ([NO_LIST, TRANSCRIBED], "fetched"),
            ([(403, {"code": 20003}), TRANSCRIBED], "fetched"),
            ([NO_LIST, (200, {"transcriptions": []})], "not kept here, and the call tracker has none"),
            # Each of the two questions is put three times.
            ([(500, {})] * 6, "not kept here, and not given by the call tracker"),
        ],
        one_in=4,
    ),
)
def test_words_that_only_twilio_has_are_fetched_with_the_accounts_token(
    cast: Cast, office: Office, answers: list[tuple[int, dict[str, Any]]], what: str
) -> None:
    """Twilio's shapes: intelligence_v2 Transcripts and Sentences, api_v2010 Recordings/{sid}/Transcriptions."""
    call = at_twilio(cast)
    with twilio_side.interface() as vendor, override_settings(CALLPRIVACY_TWILIO_URL=vendor.url):
        vendor.answers = list(answers)
        package = made(cast, office, asked(cast, client=cast.dentist))
        asked_there = [one.path.partition("?")[0] for one in vendor.asked]
    assert asked_there[0] == "/v2/Transcripts"
    (told,) = json.loads(fetched(package, link(package)).read(channel.DATA))["companies"][0]["calls"]
    assert told["id"] == str(call.pk)
    assert told["transcript"]["what"].startswith(what)
    assert ("Monday" in told.get("words", "")) == (what == "fetched")
    assert "0199" not in told.get("words", "")
    assert any(packages.NOT_GIVEN in line for line in package.contents["left_out"]) == ("not given" in what)
    if "sentences" in str(answers):
        assert told["words"].index("Call me back") < told["words"].index("Monday"), (
            "in the order in which it was said"
        )


@pytest.mark.parametrize(
    ("provider", "name"), some([("ctm", "CallTrackingMetrics"), ("invoca", "Invoca")], one_in=2)
)
def test_a_package_says_of_which_trackers_nobody_asked_for_words(
    cast: Cast, office: Office, provider: str, name: str
) -> None:
    at_twilio(cast, provider=provider)
    package = made(cast, office, asked(cast, client=cast.dentist))
    (told,) = json.loads(fetched(package, link(package)).read(channel.DATA))["companies"][0]["calls"]
    assert told["transcript"] == {"what": f"not kept here; {name} was not asked"}
    assert f"{packages.NOT_ASKED.format(tracker=name)} (1)" in package.contents["left_out"]


# --- Recordings ---


def stereo(frames: int = 50, width: int = 2) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as sound:
        sound.setnchannels(2)
        sound.setsampwidth(width)
        sound.setframerate(8000)
        sound.writeframes((b"\x01" * width + b"\x02" * width) * frames)
    return out.getvalue()


@pytest.mark.parametrize(("side", "sign"), [(0, b"\x01"), (1, b"\x02")])
@pytest.mark.parametrize("width", [1, 2, 3])
def test_one_side_of_a_two_sided_file_is_taken_out(side: int, sign: bytes, width: int) -> None:
    with wave.open(io.BytesIO(channel.one_side(stereo(width=width), channel=side))) as sound:
        assert (sound.getnchannels(), sound.getframerate(), sound.getnframes()) == (1, 8000, 50)
        assert sound.readframes(50) == sign * width * 50


@pytest.mark.parametrize("data", [b"", b"ID3 no wave", stereo()[:30]])
def test_what_cannot_be_taken_apart_is_refused(data: bytes) -> None:
    with pytest.raises(channel.NotTwoSidedError):
        channel.one_side(data, channel=0)


@pytest.mark.parametrize(
    ("choice", "count"),
    [(OtherParty.WITHHOLD, 0), (OtherParty.ONE_SIDE, 1), (OtherParty.WHOLE, 1)],
)
def test_the_other_party_is_heard_only_by_choice(
    cast: Cast, office: Office, choice: OtherParty, count: int
) -> None:
    call = make.call(cast.dentist, ANNA)
    row = make.recording(call, "https://vendor.example/r/1")
    key = vault.recording_keys(cast.dentist.pk, [row.pk])[row.pk]
    file_id = uuid4()
    with files.RecordingWriter(cast.dentist.pk, file_id, key) as out:
        out.write(stereo())
    with job_scope(agency_id=cast.acme.pk):
        Recording.objects.filter(pk=row.pk).update(file_key=file_id, provider="twilio")
    package = made(cast, office, asked(cast, client=cast.dentist), other_party=choice)
    archive = fetched(package, link(package))
    sounds = [name for name in archive.namelist() if name.startswith("recordings/")]
    assert len(sounds) == count
    if choice is OtherParty.ONE_SIDE:
        with wave.open(io.BytesIO(archive.read(sounds[0]))) as sound:
            assert sound.getnchannels() == 1
    if choice is OtherParty.WITHHOLD:
        assert any(
            line.startswith("Recordings in which somebody else") for line in package.contents["left_out"]
        )


def test_a_recording_that_only_twilio_has_is_fetched_with_the_accounts_token(
    cast: Cast, office: Office
) -> None:
    """Twilio's shape: GET /2010-04-01/Accounts/AC.../Recordings/RE..., by Basic with the account and its token."""
    account = "AC" + "0" * 32
    hers, gone = (
        make.call(cast.dentist, ANNA),
        make.call(cast.dentist, ANNA, at=make.NOON - timedelta(days=2)),
    )
    with job_scope(agency_id=cast.acme.pk):
        way = connections.create_connection(
            client=cast.dentist, provider="twilio", name="Menu", secret="t" * 32, by=make.JOB, at=make.NOON
        )
        Call.objects.filter(pk__in=[hers.pk, gone.pk]).update(connection=way)
    with tracker_side.playing() as tracker:
        path = f"/2010-04-01/Accounts/{account}/Recordings/RE{'1' * 32}"
        token = basic(account, "t" * 32)["authorization"]
        there = tracker.opens(path, token, stereo())
        for call, at in ((hers, there), (gone, tracker.opens(path[:-1] + "2", token, b"", 404))):
            row = make.recording(call, at)
            with job_scope(agency_id=cast.acme.pk):
                Recording.objects.filter(pk=row.pk).update(provider="twilio")
        package = made(cast, office, asked(cast, client=cast.dentist), other_party=OtherParty.ONE_SIDE)
    archive = fetched(package, link(package))
    (name,) = [one for one in archive.namelist() if one.startswith("recordings/")]
    assert str(hers.pk) in name
    with wave.open(io.BytesIO(archive.read(name))) as sound:
        assert sound.getnchannels() == 1
    assert f"{packages.AT_TRACKER} (1)" in package.contents["left_out"]
    with job_scope(agency_id=cast.acme.pk):
        assert not Recording.objects.filter(file_key__isnull=False).exists(), "it is stored nowhere else"


def test_nothing_held_is_said_in_a_package_too(cast: Cast, office: Office) -> None:
    package = made(cast, office, asked(cast, client=cast.dentist))
    page = fetched(package, link(package)).read(channel.PAGE).decode()
    assert "Nothing is held" in page
    assert isinstance(package.case, Case)


# --- Particulars from the register of vendors and from what is there ----------------------------------------------


def _facts(**facts: Any) -> vendors.Facts:
    said = {
        "name": "CallRail", "role": VendorRole.PROCESSOR, "what_for": "Tracks calls", "categories": ("calls",),
        "places": "United States", "transfer": TransferTool.DPF, "contract_on": None, "clauses": (), "source": "",
        "provider": "callrail",
    }  # fmt: skip
    return vendors.Facts(**said | facts)


def _vendor(cast: Cast, **facts: Any) -> Vendor:
    with job_scope(agency_id=cast.acme.pk):
        return vendors.add_vendor(
            agency=cast.acme, verified_on=facts.pop("verified_on", make.NOON.date()), facts=_facts(**facts), sheet="",
            by=make.JOB, at=make.NOON,
        )  # fmt: skip


def _particulars(cast: Cast, office: Office, *, place: tuple[str, str] = ("GB", "")) -> dict[str, list[str]]:
    package = made(cast, office, asked(cast, client=cast.dentist, place=place))
    data = json.loads(fetched(package, link(package)).read(channel.DATA))
    found: dict[str, list[str]] = data["companies"][0]["particulars"]
    return found


def _connected(cast: Cast, provider: str) -> None:
    with job_scope(agency_id=cast.acme.pk):
        connections.create_connection(
            client=cast.dentist, provider=provider, name="Line", secret="s" * 32, by=make.JOB, at=make.NOON
        )


def test_where_data_go_is_what_the_register_says_of_the_clients_own_trackers(
    cast: Cast, office: Office
) -> None:
    make.call(cast.dentist, ANNA)
    _connected(cast, "callrail")
    vendor = _vendor(cast)
    _vendor(cast, name="Invoca", provider="invoca")
    _vendor(
        cast, name="Harbor Hosting", provider="", what_for="Runs the servers", places="",
        transfer=TransferTool.UNKNOWN,
    )  # fmt: skip
    _vendor(cast, name="Payroll Inc", provider="", categories=("staff",))
    with job_scope(agency_id=cast.acme.pk):
        vendors.add_sub_processor(
            vendor=vendor, name="Big Cloud", what_for="Storage", places="United States",
            noticed_on=make.NOON.date(), object_until=None, by=make.JOB, at=make.NOON,
        )  # fmt: skip

    assert _particulars(cast, office)["transfers"] == [
        (
            "CallRail (Tracks calls), in United States. A transfer out of the EEA or the UK rests on: EU-US Data"
            " Privacy Framework. It engages Big Cloud."
        ),
        (
            "Harbor Hosting (Runs the servers), in places that are not written down yet. On what a transfer out of the"
            " EEA or the UK rests is not known yet."
        ),
    ]


def test_californian_package_names_no_basis_of_a_transfer_out_of_the_eea(cast: Cast, office: Office) -> None:
    make.call(cast.dentist, ANNA)
    _connected(cast, "callrail")
    _vendor(cast)
    _vendor(
        cast, name="Harbor Hosting", provider="", what_for="Runs the servers", places="Ohio",
        transfer=TransferTool.UNKNOWN, verified_on=None,
    )  # fmt: skip
    assert _particulars(cast, office, place=("US", "US-CA"))["transfers"] == [
        "CallRail (Tracks calls), in United States.",
        "Harbor Hosting (Runs the servers), in Ohio, by its own account.",
    ]


def test_a_tracker_of_which_the_register_knows_nothing_is_said_to_be_unknown(
    cast: Cast, office: Office
) -> None:
    make.call(cast.dentist, ANNA)
    _connected(cast, "twilio")
    asking.answered_by(cast.dentist, Answerer.AGENCY, dpa_on=make.NOON.date())
    assert _particulars(cast, office)["transfers"] == [
        "Twilio: where it keeps the data, and on what a transfer rests, is not written down yet.",
        f"Acme works for the company under a data processing agreement of {make.NOON.date()}.",
    ]


def test_a_vendor_that_was_changed_or_left_is_told_as_it_is_now(cast: Cast, office: Office) -> None:
    make.call(cast.dentist, ANNA)
    _connected(cast, "callrail")
    vendor = _vendor(cast)
    with job_scope(agency_id=cast.acme.pk):
        facts = _facts(categories=(), places="Ireland", transfer=TransferTool.NONE)
        vendors.change_vendor(vendor=vendor, verified_on=None, by=make.JOB, at=make.NOON, facts=facts)
    assert _particulars(cast, office)["transfers"] == [
        (
            "CallRail (Tracks calls), in Ireland. Nothing leaves the EEA or the UK. This is what the vendor says;"
            " nobody has verified it yet."
        )
    ]
    with job_scope(agency_id=cast.acme.pk):
        Connection.objects.update(is_active=False)
        vendors.end_vendor(
            vendor=vendor, on=make.NOON.date(), reason="Replaced by another.", by=make.JOB, at=make.NOON
        )
        assert Agency.objects.get(pk=cast.acme.pk).vendors == []


def test_what_machines_decide_is_counted_from_what_is_there(cast: Cast, office: Office) -> None:
    plain = make.call(cast.dentist, ANNA)
    (line,) = _particulars(cast, office)["automated"]
    assert line.startswith("No other decision about you is made by a machine alone here")
    with job_scope(agency_id=cast.acme.pk):
        Decision.objects.create(
            agency_id=cast.acme.pk, client=cast.dentist, call=plain, purpose=Purpose.RECORD, allowed=False,
            lawful=False, standard_met=False, standard="express", pack="p", decided_at=make.NOON,
        )  # fmt: skip
        Call.objects.filter(pk=plain.pk).update(qualified=True, tags=["lead"])
    decided, marked, _ = _particulars(cast, office)["automated"]
    assert "decided by fixed rules for 1 of your calls" in decided
    assert marked.startswith("1 of your calls bear marks that came with the call from the tracker")


@pytest.mark.parametrize("text", ["\ufeff=1", "\0=1", "\uff1d1", "\u2028@A1", " +1"])
def test_no_cell_of_a_table_is_a_formula(text: str) -> None:
    body = channel.table(("source",), [{"source": text}]).decode("utf-8-sig")
    assert body.splitlines()[1].startswith("\"'")
