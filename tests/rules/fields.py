"""
What every stored field is. `python -m tests.rules.fields` writes docs/data-map.md, which is not committed.

A new field without a line here fails the build, so that nobody stores a fact of a person by accident.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

DATA_MAP = Path(__file__).resolve().parent.parent.parent / "docs" / "data-map.md"


class Is(StrEnum):
    """The five classes of a stored field."""

    PLAIN = "plain"
    CALLER = "caller"
    SEALED = "sealed"
    EVIDENCE = "evidence"
    SECRET = "secret"


MEANING = {
    Is.PLAIN: "No fact of a person who called: the agency's business, its staff, counts.",
    Is.CALLER: "A fact of one call or caller, without a number or a name; it leaves with the row.",
    Is.SEALED: "Personal: AES-256-GCM under a key that erasing destroys, bound to its place.",
    Is.EVIDENCE: "Kept beyond an erasure, under the evidence key or as a digest, until its own date.",
    Is.SECRET: "Opens or guards something: keys, secrets, digests of passwords and links.",
}


@dataclass(frozen=True, slots=True)
class Field:
    """A class, and why where it is not obvious."""

    kind: Is
    why: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """
    One model's fields.

    :ivar leaves: dotted names of the functions by which rows with facts of callers leave.
    """

    about: str
    fields: dict[str, Field]
    leaves: tuple[str, ...] = ()


def _fields(kind: Is, names: tuple[str, ...], why: dict[str, str]) -> dict[str, Field]:
    """Fields of one class: names with spaces between, and names with a reason."""
    plain = " ".join(names).split()
    return {name: Field(kind, why.get(name, "")) for name in (*plain, *why)}


def _plain(*names: str, **why: str) -> dict[str, Field]:
    return _fields(Is.PLAIN, names, why)


def _caller(*names: str, **why: str) -> dict[str, Field]:
    return _fields(Is.CALLER, names, why)


def _sealed(**why: str) -> dict[str, Field]:
    return {name: Field(Is.SEALED, text) for name, text in why.items()}


def _evidence(**why: str) -> dict[str, Field]:
    return {name: Field(Is.EVIDENCE, text) for name, text in why.items()}


def _secret(**why: str) -> dict[str, Field]:
    return {name: Field(Is.SECRET, text) for name, text in why.items()}


_OURS = "agency client id"
_ERASE = "callprivacy.calls.services.erasure.remove_calls"
_KEYS = "callprivacy.calls.services.erasure.forget_callers"
_REQUESTS = "rights.services.ends.remove_requests"

REGISTER: dict[str, Table] = {
    # --- tenancy ---
    "tenancy.Agency": Table(
        "An agency, the tenant",
        _plain(
            "id name slug time_zone keep_calls_for_days keep_calls_out_for_days keep_releases_for_days",
            "reveals_per_hour is_demo created_at needs_reviewed_vendors needs_second_for_live",
            reviewed_vendors="Names of trackers, and until when each one's review counts",
            vendors="Names of companies, what they do, where, and on what a transfer rests",
        ),
    ),
    "tenancy.Client": Table(
        "A company the agency works for",
        _plain(
            "id agency slug name legal_name time_zone sector brand_colour policy_url home_country",
            "keep_calls_for_days keep_calls_out_for_days keep_releases_for_days",
            "retention_state went_live_at created_at archived_at",
            "quarantine_hours stores_recordings takes_transcripts keeps_attribution",
            shut_at="Since when its ways in are shut for good, because it leaves",
            last_call_at="The newest call's start, of whichever caller",
        ),
    ),
    "tenancy.Place": Table("Where a client does business", _plain(_OURS, "label country region")),
    "tenancy.Engagement": Table(
        "What agency and client agreed",
        _plain(
            _OURS,
            "measure_as record_as contact_as contract_on dpa_on answered_by breach_notice_hours",
            "at_end delete_at_vendor",
            instructions="Words between two companies about how to work",
        ),
    ),
    "tenancy.PublicKey": Table(
        "Directory of the keys in public addresses",
        _secret(key="Stands in a webhook's or an invitation's address")
        | _plain("purpose agency_id client_id"),
    ),
    # --- accounts ---
    "accounts.User": Table(
        "A member of staff",
        _plain(
            "id last_login is_superuser is_active is_staff created_at password_changed_at",
            "password_due_at password_due_why password_links sessions_ended_at",
            email="Of a member of staff; it is the sign-in name",
            name="Of a member of staff",
        )
        | _secret(password="Argon2id digest"),
    ),
    "accounts.User_groups": Table("Comes with Django; the database refuses a row", _plain("id user group")),
    "accounts.User_user_permissions": Table(
        "Comes with Django; the database refuses a row", _plain("id user permission")
    ),
    "accounts.Membership": Table(
        "A person's place in an agency",
        _plain(
            "id agency user role state created_at withheld_from made_by made_at signs_from officer_until"
            " manager_until"
        ),
    ),
    "accounts.ClientGrant": Table(
        "One permission of one person on one client",
        _plain("id agency content_object permission user bundle granted_by granted_at ends_at"),
    ),
    "accounts.ClientAccess": Table(
        "A view of the grants that count now; it stores nothing", _plain("id content_object permission user")
    ),
    "accounts.Invitation": Table(
        "A single-use link for one address",
        _plain(
            "id agency role client_ids invited_by created_at expires_at sent_at accepted_at",
            "withdrawn_at needs_second confirmed_by confirmed_at",
            email="Of somebody who is to work for the agency",
            name="Of somebody who is to work for the agency",
        )
        | _secret(digest="SHA-256 of the link's secret"),
    ),
    "accounts.ApiKey": Table(
        "A key of one of the agency's systems for one client",
        _plain(_OURS, "name scopes created_by created_at ends_at last_used_on revoked_at networks")
        | _secret(key="Stands at the head of the key", digest="SHA-256 of the whole key"),
    ),
    "accounts.SignInFailure": Table(
        "How often a sign-in name failed lately",
        _plain("failures last_at") | _secret(name_digest="Keyed digest of what was typed as sign-in name"),
    ),
    "accounts.SignInMark": Table(
        "That a person was at a browser or in a network lately",
        _plain("id user is_network seen_at")
        | _secret(digest="Keyed digest of the browser's mark or the network's prefix"),
    ),
    "accounts.SignInPolicy": Table(
        "What an agency asks of passwords, second factors and sessions",
        _plain(
            "id agency profile min_length max_age_days grace_hours second_factor_roles confirm confirm_minutes",
            "idle_minutes longest_hours keeper review_months review_days unused_days networks second_after_hours",
            "changed_at changed_by",
        ),
    ),
    "accounts.SignInProvider": Table(
        "The provider through which an agency's people sign in",
        _plain(
            "id agency name issuer application domains wants_factor classes checked_at is_sound is_on is_required",
            "proposed_by proposed_at agreed_by agreed_at",
            endpoints="Addresses of the provider's own pages, as it says them",
            found="Sentences of ours about the provider, with what it calls itself",
            beside="Ids of those who get in by password when the provider does not answer",
        )
        | _secret(key="Stands in the agency's sign-in address", secret="Fernet under the master key"),
    ),
    "accounts.ProviderLink": Table(
        "Who a person of the staff is at the agency's provider",
        _plain("id agency user linked_at last_at with_factor sessions_ended_at")
        | _secret(
            digest="SHA-256 of the provider's name for them",
            sessions="Digests of the provider's names for their sessions there",
        ),
    ),
    "accounts.PasswordHistory": Table(
        "A password that a person had before",
        _plain("id user replaced_at") | _secret(password="Argon2id digest"),
    ),
    "accounts.PasswordReminder": Table(
        "A mail about a password that is due", _plain("id user due_at days created_at mail_due_at sent_at")
    ),
    "accounts.PasswordDay": Table(
        "How passwords stood on a morning", _plain("id agency on people soon overdue without_factor")
    ),
    "accounts.FactorReset": Table(
        "Taking a person's second factors away, by two",
        _plain("id agency user asked_by asked_at ends_at decided_by decided_at agreed"),
    ),
    "accounts.GrantUse": Table(
        "When a person last opened a page of a client", _plain("id agency user client last_on")
    ),
    "accounts.AccessReview": Table(
        "One look over every grant", _plain("id agency period started_at started_by answer_by closed_at")
    ),
    "accounts.ReviewLine": Table(
        "One grant in a review",
        _plain("id agency review user client bundle granted_at last_on answer answered_by answered_at"),
    ),
    "accounts.VendorSeat": Table(
        "Who sees which account at a tracker",
        _plain(
            "id agency vendor account role client imported_at imported_by",
            email="Of somebody of the agency or the client, from the tracker's list of people",
            name="Of the same",
        ),
    ),
    # --- audit ---
    "audit.Epoch": Table("One life of the database cluster", _plain("number started_at why")),
    "audit.Pulse": Table(
        "By which two databases know that they are of one age",
        _plain("id count confirmed epoch xid xid_epoch is_carried restored_at"),
    ),
    "audit.Event": Table(
        "One deed",
        _plain(
            "id agency_id client_id actor_kind actor_user_id action subject_kind at xid epoch",
            actor_name="user:ID or a job's name, never a person's",
            subject_id="A random id, which leads nowhere once the row it named is gone",
            details="Small facts, marks of network and browser; what looks like a number or an address is refused",
            reason_hash="SHA-256 of 64 random digits and the words, so it cannot be guessed later",
        ),
    ),
    "audit.Reason": Table(
        "The words behind an event",
        _plain("event_id agency_id client_id")
        | _sealed(words="What a member of staff wrote; it may name a caller"),
        leaves=("callprivacy.audit.services.recording.erase_reasons_about",),
    ),
    "audit.Seal": Table(
        "A signed root over events",
        _plain(
            "id agency_id number first_event last_event count size root previous epoch until_xid",
            "until_id signed_at sealed_at key_id signature peaks leaves",
        ),
    ),
    "audit.Leaving": Table(
        "Which seals' events left by policy",
        _plain(
            "id agency_id first_seal last_seal events begin_epoch begin_xid begin_id until_epoch until_xid",
            "until_id signature left_at xid",
            statement="What was signed of it: numbers, a root and dates",
        ),
    ),
    "audit.HouseEvent": Table(
        "What has no agency, such as a failed sign-in",
        _plain("id action at xid", details="Small facts and marks, checked as those of an event"),
    ),
    # --- work ---
    "work.Item": Table(
        "What waits for a person",
        _plain(
            "agency id client kind count state owner opened_at due_at snoozed_until closed_at",
            "closed_by",
            key="An id, a date or user:ID; never a value",
        ),
    ),
    "work.Notification": Table(
        "What one person was told",
        _plain(
            "agency id user client kind at read_at mail_due_at mail_due_since mailed_at",
            key="An id, a date or user:ID; never a value",
        ),
    ),
    "work.MailChoice": Table("How a person is told of a kind of thing", _plain("id agency user kind told")),
    "work.Period": Table(
        "That a job has claimed a period", _plain("agency id job period claimed_at ends_at")
    ),
    # --- calls ---
    "calls.TrackingNumber": Table(
        "A number that ads show",
        _plain(
            _OURS,
            "label provider source campaign target_site region records announcement announced_from",
            "announced_on_recording tested_at created_at",
            number="The client's own, printed in its ads",
        ),
    ),
    "calls.Announcement": Table(
        "What callers of a number heard before they were connected, from when to when",
        _plain(
            _OURS,
            "tracking_number on_recording from_at until_at written_by written_at struck_at",
            words="What the number says to whoever calls it",
        ),
    ),
    "calls.Connection": Table(
        "A tracker's way in",
        _plain(
            _OURS,
            "provider name time_zone is_active last_event_at last_refused_at events rejected stayed_out",
            "created_at",
            mapping="Names of a file's columns",
        )
        | _secret(key="Stands in the webhook's address"),
    ),
    "calls.ConnectionSecret": Table(
        "A signing secret of a connection",
        _plain(_OURS, "connection created_at ends_at")
        | _secret(secret="The vendor's signing key, under FIELD_ENCRYPTION_KEY"),
    ),
    "calls.KnownValue": Table(
        "A source or medium that is no common one, and what calls keep in its place",
        _plain(
            _OURS,
            "field first_seen_at decided_by decided_at filled_at",
            value="Passed the recognizer of numbers; of a refused one a keyed digest",
            stored_as="What a person confirmed",
        ),
    ),
    "calls.Pull": Table(
        "That a tracker is asked for its calls",
        _plain(
            _OURS,
            "connection is_on account company secret_set_at only_known marker covered_until leased_until",
            "rests_until failures hour asked_in_hour day asked_in_day created_at",
            last_error="Why its list did not open; never what it said",
        )
        | _secret(
            login="A name for the interface, which alone opens nothing",
            secret="The vendor's key, under FIELD_ENCRYPTION_KEY",
        ),
    ),
    "calls.PullRun": Table(
        "One time that a tracker was asked for its calls",
        _plain(
            _OURS,
            "pull kind period state from_at until_at position following pages listed passed_over brought known",
            "stayed_out refused created_by created_at finished_at",
            failure="Why it ended early; never what stood in it",
        ),
    ),
    "calls.Inbox": Table(
        "What a tracker sent, until it is processed",
        _plain(
            _OURS,
            "connection pull_run state attempts received_at due_at",
            reason="Why it could not be read; never what stood in it",
            said_at="When its tracker signed it, where it signs the time",
        )
        | _caller(event_digest="Keyed digest of the vendor's event id")
        | _sealed(payload="The whole delivery, under the client's key for the inbox"),
        leaves=(
            "callprivacy.calls.services.inbox.process_batch",
            "callprivacy.calls.services.inbox.purge",
            "callprivacy.calls.services.inbox.discard_rejected",
        ),
    ),
    "calls.Caller": Table(
        "A person at one client",
        _plain("agency client")
        | _caller(
            "created_at has_evidence restricted_at restricted_from",
            id="Random; leads to the number only by way of the vault",
            country="As the number's prefix says",
            region="As the number's area code says",
        )
        | _sealed(number="Under the caller's content key"),
        leaves=(_ERASE, _KEYS, "callprivacy.calls.services.erasure.remove_idle"),
    ),
    "calls.Call": Table(
        "One call by the allowed fields",
        _plain("agency client")
        | _caller(
            "caller caller_withheld connection tracking_number direction outcome seconds source",
            "campaign medium country region first_call qualified value_cents received_at came_late on_hold",
            "redact_due_at confidential",
            landing_page="Path without host and query; empty unless the client keeps it",
            keyword="Empty unless the client keeps it",
            id="Its start in milliseconds, then random bits",
            tags="Only those that the agency has mapped",
            sequence="Which news the row holds",
        ),
        leaves=(_ERASE,),
    ),
    "calls.ConfidentialCall": Table(
        "That a call is confidential, and why",
        _plain(_OURS, "marked_by marked_at lifted_by lifted_at")
        | _caller("call", cause="Such as health: why staff who are not named do not see it"),
        leaves=(_ERASE,),
    ),
    "calls.ConfidentialRule": Table(
        "That a rule is on, by which calls become confidential",
        _plain(_OURS, "cause switched_by switched_at"),
    ),
    "calls.CallGrant": Table(
        "That a person is named for a confidential call",
        _plain(_OURS, "user permission granted_by granted_at ends_at") | _caller("content_object"),
        leaves=(_ERASE,),
    ),
    "calls.CallAccess": Table(
        "A view of who may view which call now; it stores nothing",
        _plain("id permission user", content_object="Which call; it is gone with the call"),
    ),
    "calls.CallRef": Table(
        "What a call is called elsewhere",
        _plain(_OURS, "provider kind")
        | _caller("call confidential", digest="Keyed digest under the client's token key"),
        leaves=(_ERASE,),
    ),
    "calls.Recording": Table(
        "That a recording exists at the vendor",
        _plain("agency client provider")
        | _caller(
            "id call state seconds came_late decided_at withheld_from due_at fetch_due_at fetch_attempts",
            "file_size media_type stored_at gone_at vendor_told_at confidential",
            file_key="Name of the sealed copy kept here",
        )
        | _sealed(reference="The vendor's address of it, under the recording's own key"),
        leaves=(_ERASE, _KEYS),
    ),
    "calls.Transcript": Table(
        "What was said on a call, redacted",
        _plain("agency client provider")
        | _caller(
            "id call state vendor_redacted redactions received_at decided_at due_at gone_at confidential"
        )
        | _sealed(text="Under a key of its own"),
        leaves=(_ERASE,),
    ),
    "calls.CallPress": Table(
        "A key that was pressed on a call, as its tracker says",
        _plain(_OURS, "from_file") | _caller("call name value at handled_at confidential"),
        leaves=(_ERASE,),
    ),
    "calls.CallImport": Table(
        "A file of calls on its way in",
        _plain(
            _OURS,
            "connection format state time_zone line rows rows_done added known too_old erased tries",
            "doubtful refused first_of_two created_by created_at started_at due_at finished_at",
            mapping="Names of the file's columns",
            file_key="Name of the sealed file, which goes when the import is over",
            file_digest="SHA-256 of the whole file, or a keyed digest of where a dropped one lies, to know it again",
            failure="Why it ended early; never what stood in it",
        ),
    ),
    "calls.ImportRefusal": Table(
        "A line that was not taken",
        _plain(
            _OURS,
            "call_import line",
            column="The column's name",
            reason="What was expected; never what stood there",
        ),
    ),
    "calls.CallExport": Table(
        "A masked CSV that a job writes",
        _plain(
            _OURS,
            "state rows created_by created_at due_at finished_at expires_at",
            filters="Dates, sources and choices; a caller by random id at most",
            file_key="Name of the sealed file, which goes at expires_at",
        ),
    ),
    "calls.Reveal": Table(
        "That a number was shown to a person",
        _plain("agency client id user reason_kind is_repeat event_id at sampled_on")
        | _caller("call caller_id", reason_digest="Keyed digest of the sentence, to notice repeats"),
        leaves=(_ERASE,),
    ),
    # --- consent ---
    "consent.Notice": Table("Words for callers", _plain(_OURS, "name purposes channel language created_at")),
    "consent.NoticeVersion": Table(
        "The words as of one version",
        _plain(
            _OURS,
            "notice number state controller policy_url created_by created_at published_by published_at retired_at",
            words="What every caller is told",
            withdraw="What every caller is told",
            digest="SHA-256 of the words",
        ),
    ),
    "consent.PostedNotice": Table(
        "That words hung somewhere",
        _plain(
            _OURS,
            "tracking_number where place version from_on to_on picture_type created_by created_at",
            words="What every caller could read",
            picture_key="Name of the sealed picture of a sign or page",
            picture_digest="SHA-256 of the picture",
        ),
    ),
    "consent.ConsentEvent": Table(
        "One thing that happened between a person and a client about one purpose",
        _plain(_OURS, "version user recorded_by audit_event_id document_id")
        | _evidence(
            caller_id="Random; leads to the number only by way of the vault",
            call_digest="Keyed digest of what the call is called elsewhere",
            purpose="",
            kind="",
            basis="",
            scope="",
            channel="",
            strength="",
            guardian_until="When a minor comes of age for whom a guardian agreed",
            evidence="Under the caller's evidence key",
            evidence_digest="SHA-256 of the evidence, for the proof",
            source_digest="Keyed digest, so that the same fact is one event",
            happened_at="",
            recorded_at="",
        ),
    ),
    "consent.ConsentState": Table(
        "Where a caller stands with a purpose",
        _plain(_OURS)
        | _evidence(
            caller_id="Random; leads to the number only by way of the vault",
            purpose="",
            state="",
            strength="",
            event_id="",
            version_id="",
            since="",
        ),
    ),
    "consent.Decision": Table(
        "What was decided of one call and one purpose",
        _plain(_OURS, "standard pack")
        | _caller(
            "call purpose allowed lawful standard_met basis event_id rules withheld_from decided_at",
            reasons="Sentences about rules and events, never about the person",
            places="Countries and states of both sides, and how they were known",
        ),
        leaves=(_ERASE,),
    ),
    "consent.Declaration": Table(
        "On what a client rests measuring its calls",
        _plain(
            _OURS,
            "basis declared_by declared_at ended_at",
            balancing_test="The client's reasoning about callers in general",
        ),
    ),
    "consent.ClientStandard": Table(
        "What a client asks of itself",
        _plain(
            _OURS,
            "standard chosen_by chosen_at expires_on ended_at counts_claimed unknown_age",
            reason="Why, in an officer's words",
        ),
    ),
    "consent.AnsweringSite": Table(
        "Where a client's calls are answered", _plain(_OURS, "name country region is_default created_at")
    ),
    "consent.CallerPlace": Table(
        "Where a caller lives by an address that the client knows",
        _plain("agency client recorded_by recorded_at")
        | _caller(
            "country", caller="Random; leads to the number only by way of the vault", region="The state alone"
        ),
        leaves=(_ERASE,),
    ),
    "consent.MinorMark": Table(
        "That a caller is known to be a minor",
        _plain("agency client marked_by")
        | _caller(
            "marked_at",
            caller="Random; leads to the number only by way of the vault",
            majority_on="When the caller comes of age",
        ),
        leaves=(_ERASE,),
    ),
    "consent.Acknowledgement": Table(
        "That somebody who answers calls knows of being recorded",
        _plain(
            _OURS,
            "site acknowledged_on left_on recorded_by created_at",
            person="Of somebody who works for the client",
            words="What that person signed",
        ),
    ),
    "consent.RulePack": Table(
        "Rules of the law that an agency imported",
        _plain(
            "agency id name digest is_active clients_changed decisions_changed imported_by imported_at",
            "due_at counted_at counted_against activated_by activated_at",
            text="Statutes and values",
        ),
    ),
    "consent.PackEffect": Table(
        "What a pack of rules would change at one client",
        _plain(_OURS, "pack counted newly_allowed newly_withheld cursor finished_at"),
    ),
    "consent.RuleSignOff": Table(
        "That counsel approved a rule",
        _plain(
            "agency id rule_id rule_digest signed_on recorded_by recorded_at",
            counsel="Of a lawyer, at work",
        ),
    ),
    "consent.SetupMark": Table(
        "That a step of setting up a client is settled",
        _plain(_OURS, "step marked_by marked_at", note="A blueprint's name or a count"),
    ),
    "consent.DecidedFrom": Table(
        "A digest of what all decisions of a client rest on",
        _plain(_OURS, "digest quarantine_hours at_vendor seen_at"),
    ),
    "consent.Rejudgement": Table(
        "That recordings are to be decided anew",
        _plain(_OURS, "cause cursor due_at created_at finished_at")
        | _evidence(
            caller_id="Random; leads to the number only by way of the vault",
            call_digest="Keyed digest of a call's reference",
        ),
    ),
    "consent.PhoneCode": Table(
        "A code sent to a phone",
        _plain(_OURS, "tries created_at expires_at used_at")
        | _caller("caller_id")
        | _secret(digest="Keyed digest of the code"),
        leaves=("consent.services.codes.purge",),
    ),
    "consent.WebPage": Table(
        "A client's public page and its form on other sites",
        _plain(
            _OURS,
            "origins swap_url swap_integrity swap_needs_consent created_at key_changed_at links_ended_at",
        )
        | _secret(key="Stands in the page's public address; whoever knows it may write to that client"),
    ),
    "consent.Subscription": Table(
        "An address that is told of changes",
        _plain(
            _OURS,
            "strength language on_change on_notice created_at asked_at confirmed_at told_at due_at attempts",
        )
        | _caller("caller_id")
        | _sealed(address="Under the caller's content key"),
        leaves=("consent.services.preferences.purge",),
    ),
    "consent.InvitationBatch": Table(
        "A list of people who are asked",
        _plain(_OURS, "name version size refused left_by_law created_by created_at paused_at"),
    ),
    "consent.Invitation": Table(
        "One person asked",
        _plain(_OURS, "batch channel version confirms state attempts created_at due_at sent_at reminded_at")
        | _caller("caller_id answered_at bounced_at purge_at")
        | _sealed(address="Under the caller's content key")
        | _secret(
            address_digest="Keyed digest of the address, to know a bounce or an answer by",
            link_digest="SHA-256 of the personal link's secret",
            message_digest="Keyed digest of the message's id",
        ),
        leaves=("consent.services.invitations.purge",),
    ),
    "consent.TermsDocument": Table(
        "A document that people signed, or a list attested under one",
        _plain(
            _OURS,
            "name stands_apart is_list media_type size signed_on people created_by created_at",
            clause="The words of the terms",
        )
        | _evidence(file_key="Name of the sealed document", file_digest="SHA-256 of the document"),
    ),
    "consent.PhoneMenu": Table(
        "The menu that answers a tracking number",
        _plain(
            _OURS,
            "tracking_number connection is_active language notice other_notice wait_seconds created_at",
            forward_to="The client's own line",
            person_line="The client's own line",
        ),
    ),
    "consent.MenuSession": Table(
        "One call on its way through a menu",
        _plain(_OURS, "menu version")
        | _caller(
            "caller_id step pressed verification is_recording started_at recording_from stopped_at ended_at",
            call_digest="Keyed digest of the vendor's id of the call",
        )
        | _sealed(
            vendor_call="The vendor's id of the call", vendor_recording="The vendor's id of the recording"
        ),
        leaves=("consent.services.menu_calls.purge",),
    ),
    "consent.CallBack": Table(
        "A call back that a vendor connects",
        _plain(_OURS, "user connection tracking_number state attempts last_error")
        | _caller("caller_id created_at due_at rang_at connected_at")
        | _sealed(agent_number="The agent's own number, under the client's key for errands"),
        leaves=("consent.services.call_backs.purge",),
    ),
    "consent.Reply": Table(
        "What a person wrote",
        _plain(
            _OURS, "tracking_number_id decided_by decided_at", confirm_words="What we answer; of nobody in it"
        )
        | _caller(
            "caller_id invitation channel label why proof state received_at confirm_due_at confirmed_at purge_at",
            message_digest="Keyed digest of the message's id",
            sender_digest="Keyed digest of the address that a mail came from, to find whose it may be",
        )
        | _sealed(text="Under the caller's evidence key, or the client's where nobody is known"),
        leaves=("consent.services.texts.purge",),
    ),
    "consent.AdDestination": Table(
        "Where a client's numbers are sent for advertising",
        _plain(
            _OURS,
            "name is_active created_at",
            contact="Of a company",
            instructions="How to have somebody removed there",
        ),
    ),
    "consent.VendorTask": Table(
        "One step at one vendor that a withdrawal asks for",
        _plain(
            _OURS,
            "step connection destination tracking_number withdrawal by_ticket state law created_at target_at",
            "outer_at due_at attempts last_error sent_at sent_by chased checked_at done_at receipt",
            ticket="Words to a vendor, without a number",
            reply="What a vendor answered",
        )
        | _evidence(
            caller_id="Random; leads to the number only by way of the vault",
            recording_id="Random; leads nowhere once the recording is gone",
            event_id="The withdrawal in the ledger",
            reference="A number under the evidence key, ids under the client's key for errands; goes when it is done",
        ),
    ),
    "consent.Withdrawal": Table(
        "That a person said no, on its way to whoever else holds the number",
        _plain(_OURS, "channel target_at outer_at law due_at planned_at closed_at")
        | _evidence(
            caller_id="Random; leads to the number only by way of the vault",
            purposes="",
            event_ids="The events in the ledger",
            happened_at="",
            stopped_at="",
        ),
    ),
    "consent.WebhookEndpoint": Table(
        "An address of the agency's systems",
        _plain(_OURS, "name url with_number is_active created_at") | _secret(secret="Signs what it is told"),
    ),
    "consent.WebhookDelivery": Table(
        "One message to one endpoint",
        _plain(
            _OURS, "endpoint event_type state attempts last_status created_at retried_at due_at delivered_at"
        )
        | _caller("event_id")
        | _sealed(payload="Without a number, under the client's key of the day"),
        leaves=("consent.services.webhooks.purge",),
    ),
    "consent.NumberList": Table(
        "A register of numbers that the agency uploaded",
        _plain(
            "agency client id kind name as_of area_codes state line size refused invalidated is_active created_by",
            "created_at due_at finished_at ended_at emptied_at",
            refusals="Numbers of lines that were not taken and why; never what stood there",
            answers="Counts of lines by what they say",
            file_key="Name of the sealed file under the agency's key, which goes when it has been read",
            failure="Why it ended early; never what stood in it",
        ),
    ),
    "consent.NumbersOut": Table(
        "Numbers with a standing consent, for a vendor that knows which were reassigned",
        _plain(
            _OURS,
            "state rows created_by created_at due_at finished_at expires_at",
            file_key="Name of the sealed file, which goes at expires_at",
        ),
    ),
    "consent.ConsentAge": Table(
        "After how many months a client's consents to a purpose expire",
        _plain(_OURS, "purpose is_own months chosen_by chosen_at"),
    ),
    "consent.AgencyAge": Table(
        "After how many months consents to a purpose expire at an agency's clients",
        _plain("agency id purpose months chosen_by chosen_at"),
    ),
    "consent.ApiWrite": Table(
        "What a system wrote to the ledger, and what it was answered",
        _plain(_OURS, "created_at", answer="Ids of events and their purposes")
        | _evidence(
            digest="HMAC-SHA256 of the key that the system chose, under the client's token key",
            body_digest="HMAC-SHA256 of the body, under the client's token key; goes after 30 days",
        ),
        leaves=("consent.services.events.purge",),
    ),
    "consent.ListCheck": Table(
        "A list that is checked before it is dialled",
        _plain(
            _OURS,
            "name purpose column region_column state rows rows_done allowed blocked refused created_by created_at",
            "due_at checked_at finished_at expires_at",
            file_key="Name of the sealed list, which goes when it was checked",
            result_key="Name of the sealed result, which goes at expires_at",
            reasons="Counts by reason",
            looked_at="The registers that were looked at, with their dates",
            failure="Why it ended early; never what stood in it",
        ),
    ),
    # --- analytics ---
    "analytics.DailyTotal": Table(
        "How many calls there were on a day, once they are gone",
        _plain(_OURS, "day outbound calls answered seconds"),
    ),
    "analytics.DayCount": Table(
        "How many calls there are of a day of the last five weeks",
        _plain(
            _OURS,
            "day",
            calls="Counted again when a call of the day changes or leaves; for who may see those calls",
            answered="As calls",
            withheld="As calls",
            consent="As calls",
            notice="As calls",
            law="As calls",
        ),
    ),
    "analytics.ReportRule": Table(
        "What a client counts as a conversion, and how many callers a figure needs",
        _plain(_OURS, "conversion seconds tags k p currency number_format changed_at"),
    ),
    "analytics.Span": Table(
        "A stretch of a client's time whose calls are grouped together",
        _plain(
            _OURS,
            "starts_at ends_at grain is_hourly is_slotted is_final built_at",
            left_out="Calls of people who opted out, where they are at least k people",
        ),
    ),
    "analytics.Cell": Table(
        "What at least k callers add up to",
        _plain(
            _OURS,
            "span sheet starts_at ends_at grain source campaign medium direction outcome region length repeated",
            "converted kept weekday part hour calls seconds value_cents callers",
        ),
    ),
    "analytics.Touched": Table(
        "An hour in which something changed that cells are made of",
        _plain(_OURS, "due_at", hour="In UTC, of all calls of that hour together"),
    ),
    "analytics.Watch": Table(
        "Until when the vault's refusals have been looked at",
        _plain(_OURS, "looked_at day"),
    ),
    "analytics.ReleaseFloor": Table(
        "The least that an agency asks of a release", _plain("id agency k most_suppressed set_by set_at")
    ),
    "analytics.Recipient": Table(
        "A company that data is released to",
        _plain(
            _OURS,
            "contract epsilon created_by created_at",
            name="A company's, not a caller's",
            email="A company's address for messages about files",
        ),
    ),
    "analytics.OwnGroups": Table(
        "By what a client's anonymised releases group, change by change",
        _plain(
            _OURS,
            "number set_by set_at",
            said="Names of sources and of their channels, beginnings of bands, hours, words of ours; no caller's",
        ),
    ),
    "analytics.Release": Table(
        "A file of calls for a recipient",
        _plain(
            _OURS,
            "kind state recipient groups columns from_on until_on k l t keep_for_days rows scored_at digest created_by",
            "created_at proposed_by proposed_at decided_by decided_at released_at ends_at ended_at refusal failures",
            "due_at mail_due_at told_at look_due_at",
            purpose="What staff write; the page asks for no names and no numbers",
            report="Counts, shares and names of columns",
            score="Counts",
            file_key="Name of the sealed file, which goes at ends_at",
            members_key="Name of the sealed list of keyed digests, which goes with the file",
        ),
    ),
    "analytics.Removal": Table(
        "That a caller's rows leave a file that was given away, and that its recipient was told",
        _plain(
            _OURS,
            "release cause created_at due_at rows taken_at mail_due_at told_at",
        )
        | _evidence(caller_id="Of which caller; leads nowhere once the caller is erased"),
        leaves=("analytics.services.taking_out.forget",),
    ),
    "analytics.ReleaseTrial": Table(
        "What a setting of a draft would cost and risk",
        _plain(
            _OURS,
            "release k l t state step done total refusal asked_at due_at finished_at",
            result="Counts, shares and names of columns",
        ),
    ),
    "analytics.Spend": Table(
        "What a question for noisy figures cost",
        _plain(
            _OURS,
            "recipient year number previous before epsilon after budget spent_by spent_at",
            question="Words of ours, dates and bounds",
        ),
    ),
    "analytics.NoisyAnswer": Table(
        "Figures with noise",
        _plain(
            _OURS, "spend answered_at", figures="Each with noise of its own, of which no caller can be read"
        ),
    ),
    "analytics.CampaignCost": Table("What a campaign cost on a day", _plain(_OURS, "day campaign cents")),
    "analytics.Goal": Table(
        "What a client's calls should reach in a week or a month",
        _plain(_OURS, "measure missed hundredths period created_by created_at alerted_on"),
    ),
    "analytics.CostImport": Table(
        "A file of costs, and what became of it",
        _plain(
            _OURS,
            "state count replaced cents first_on last_on created_by created_at decided_at",
            rows="Its lines (day, campaign, cents), until somebody has decided or a day has passed",
        ),
    ),
    "analytics.SavedReport": Table(
        "A question to the explorer that somebody asks again",
        _plain(_OURS, "owner name is_shared created_at", query="The question as it stands in the address"),
    ),
    "analytics.ReportMail": Table(
        "That a person is sent a saved report",
        _plain(_OURS, "report user every due_at claimed_until sent_at"),
    ),
    # --- retention ---
    "retention.Run": Table(
        "One pass that erases",
        _plain("agency id cause state planned_on started_by created_at planned_at finished_at"),
    ),
    "retention.RunPart": Table(
        "What one run does for one client",
        _plain(
            _OURS,
            "run category state then policy_version cutoff keep_for_days rows_due recordings_due callers_due",
            "bytes_due rows_held rows_erased recordings_erased callers_erased bytes_erased vendor_steps failures",
            "started_at leased_until finished_at",
            cursor="Id of the last row that was looked at",
            digest="Over the ids that left, which no id can be read from",
        ),
    ),
    "retention.Errand": Table(
        "A recording that the vendor still holds",
        _plain(_OURS, "provider opened_at")
        | _caller("recording_id call_started_at")
        | _sealed(reference="The vendor's address of it, under the client's key for errands"),
        leaves=("retention.services.errands.confirm_deleted",),
    ),
    "retention.GoLive": Table(
        "An officer's signature that expired calls may leave",
        _plain(
            _OURS,
            "signed_by signed_at keep_for_days cutoff calls_due recordings_due callers_due",
            "recordings_allowed recordings_withheld recordings_leaving quarantine_hours",
        ),
    ),
    "retention.Certificate": Table(
        "What a run destroyed at one client, signed",
        _plain(
            _OURS,
            "run number issued_at copies_gone_on key_id",
            statement="Counts, policies and holds by name; no person and no number",
            signature="Over the statement",
        ),
    ),
    "retention.HousePart": Table(
        "What one run does with the agency's own rows",
        _plain(
            "id agency run category state policy_version cutoff keep_for_days rows_due rows_held rows_erased failures",
            "started_at leased_until finished_at",
            digest="Over the ids that left, which no id can be read from",
        ),
    ),
    "retention.HouseCertificate": Table(
        "What a run destroyed of the agency's own rows, signed",
        _plain(
            "id agency run number issued_at copies_gone_on key_id",
            statement="Counts, policies and holds by name; no person and no number",
            signature="Over the statement",
        ),
    ),
    "retention.Policy": Table(
        "How long a category is kept",
        _plain(_OURS, "category keep_for_days then version set_at"),
    ),
    "retention.PolicyChange": Table(
        "A change of a policy, with the effect that was shown",
        _plain(
            _OURS,
            "category state was_days was_then days then shortens due_before due_after rules event_id",
            "proposed_by proposed_at takes_effect_at decided_by decided_at",
        ),
    ),
    "retention.Hold": Table(
        "A case for which nothing may be erased",
        _plain(
            _OURS,
            "from_at until_at review_on ends_on keeps_house event_id placed_by placed_at settled_at lifted_by",
            "lifted_at lifted_event_id",
            name="What staff call it; the page asks for no names of people",
            matter="The reference of a matter",
        ),
    ),
    "retention.HoldCaller": Table(
        "A number that a hold names; it goes when the hold is lifted",
        _plain("id agency client hold") | _caller("caller_id"),
        leaves=("retention.services.holds.lift_hold",),
    ),
    "retention.HoldCall": Table(
        "A call that a hold names; it goes when the hold is lifted",
        _plain("id agency client hold") | _caller("call_id"),
        leaves=("retention.services.holds.lift_hold",),
    ),
    "retention.HoldPerson": Table("Who of the staff is told of a hold", _plain(_OURS, "hold user told_at")),
    "retention.Offboarding": Table(
        "A client that leaves: what is handed over, what is destroyed",
        _plain(
            _OURS,
            "state moved_to with_numbers asked_by asked_at due_at agreed_by agreed_at file_digest",
            "link_until taken_at taken_by_link step cursor leased_until failures signature key_id finished_at",
            extent="Counts that were shown",
            counted_at="When these were counted",
            closed="Counts of ways in and grants that were ended",
            among="Counts of recordings and callers among what was erased",
            file_rows="Counts of lines in the file",
            came_since="Count of entries that had come after the file was written",
            stays_shut="Whether the client is gone for good, whatever is still unread",
            waits_since="Since when its step waits for what is not done yet",
            given_up="Count of steps at vendors that were given up",
            erased="Counts by category",
            file_key="Name of the sealed file, which goes with the client's keys",
            last_error="Why it stopped; never what stood in anything",
            statement="The signed statement, in counts",
        )
        | _secret(link_digest="SHA-256 of the link's secret"),
    ),
    "retention.VendorCheck": Table(
        "When a vendor was asked what it still has",
        _plain(
            _OURS,
            "connection started_at checked_at due_at account company secret_set_at seen outliving failures",
            "last_error",
            page="Where the vendor's list goes on: no number and no reference of a call",
        )
        | _sealed(secret="Opens the vendor's list, under the client's key for it"),
        leaves=("retention.services.truth.forget_access",),
    ),
    "retention.Leftover": Table(
        "A recording that a vendor still has although ours is erased",
        _plain(_OURS, "connection provider state found_at seen_at gone_at")
        | _caller("call_started_at", digest="Of the vendor's reference, keyed by the client")
        | _sealed(reference="The vendor's name of it, under the client's key for errands"),
        leaves=("retention.services.truth.forget_gone",),
    ),
    "retention.SecretLimit": Table(
        "After how many days a kind of secret is changed", _plain("id agency kind days rotates_itself set_at")
    ),
    "retention.Rotation": Table(
        "A key being changed",
        _plain(_OURS, "kind state total done failures started_by started_at leased_until finished_at"),
    ),
    "retention.Alert": Table(
        "Something that needs a person",
        _plain(_OURS, "kind key count began_at ended_at mailed_at due_at attempts last_status"),
    ),
    "retention.AlertEndpoint": Table(
        "Where alerts are sent",
        _plain("id agency url is_active news_from created_at") | _secret(secret="Signs what is sent"),
    ),
    "retention.News": Table(
        "That people were told of something, for the agency's system",
        _plain("id agency kind key at due_at attempts last_status"),
    ),
    "retention.Backup": Table(
        "A dump that was made", _plain("id database made_at name size digest recipient removed_at")
    ),
    "retention.Drill": Table(
        "A restore that was tried", _plain("id started_at finished_at passed", report="Counts and checks")
    ),
    # --- rights ---
    "rights.Submission": Table(
        "What one person asked for at once",
        _plain(
            _OURS,
            "channel language recorded_at recorded_by search_due_at search_total search_done search_failures",
            "searched_at ended_at",
        )
        | _evidence(
            parent="The agency's own submission it was made from",
            on_behalf="For whom it is made",
            is_minor="Whether the person is a child",
            country="Where the person is",
            region="Where the person is",
            place_by="How that is known",
            contact="Where the answer goes; under the submission's key, as the rest of what the person said",
            words="What the person wrote",
            received_at="A field of the record of requests",
            said_at="The end of that day, where the day alone is known",
        ),
        leaves=(_REQUESTS,),
    ),
    "rights.Case": Table(
        "One thing that a person asked for",
        _plain(
            _OURS,
            "submission reference state answerer role owner appeal_of law acknowledge_by acknowledge_due_at",
            "acknowledged_at extend_before extending_at extended_at extended_for answer_by answer_due_at paused_at",
            "identified_at took_effect_at ask_again_from handed_over_at client_has_it_at decided_at decided_by",
            "closed_at",
            laws="Laws that apply, days and sentences of the book of laws",
            law_ids="The same laws by their ids",
        )
        | _evidence(
            asks="A field of the record of requests",
            kind="The same for the law",
            channel="A field of the record of requests",
            received_at="A field of the record of requests",
            said_at="The end of the day of an appeal, where the day alone is known",
            decided="A field of the record of requests",
            ground="A field of the record of requests",
            answered_at="A field of the record of requests",
            answer="What the person is told; under the submission's key",
        ),
        leaves=(_REQUESTS,),
    ),
    "rights.Pause": Table("While the person is asked what is meant", _plain(_OURS, "case since until")),
    "rights.CaseEvent": Table(
        "A line of a case's timeline",
        _plain(_OURS, "case kind at user by shown event_id", details="Small facts without personal values")
        | _evidence(words="Under the submission's key"),
        leaves=(_REQUESTS,),
    ),
    "rights.CaseNote": Table(
        "What staff wrote about a case",
        _plain(_OURS, "case by at") | _evidence(words="Under the submission's key"),
        leaves=(_REQUESTS,),
    ),
    "rights.CaseTask": Table(
        "What somebody has to do for a case",
        _plain(_OURS, "case owner due_on added_by added_at done_by done_at")
        | _evidence(words="Under the submission's key"),
        leaves=(_REQUESTS,),
    ),
    "rights.Step": Table(
        "What a job does for a case",
        _plain(
            _OURS,
            "case kind state total done due_at attempts last_error created_at finished_at",
            wanted="Small facts without personal values",
            outcome="Counts and words of the product",
        ),
    ),
    "rights.ClientFacts": Table(
        "What a client said of itself, for which laws reach it",
        _plain(
            "agency client revenue sale_share sensitive nonprofit ask set_by set_at",
            people="Counts by state",
            traded="Counts by state",
        ),
    ),
    "rights.Identity": Table(
        "A number, an address or a call that a person claims",
        _plain(_OURS, "submission kind state from_at others_until claimed_at proven_at looked_by looked_at")
        | _evidence(
            value="Under the submission's key",
            caller_id="Of which caller it is; leads nowhere once the caller is erased",
            call_id="Which call it is, where its number was withheld; leads nowhere once the call is erased",
        ),
        leaves=(_REQUESTS,),
    ),
    "rights.Proof": Table(
        "What shows an identity",
        _plain(_OURS, "submission identity kind holds file_key file_type at user by")
        | _evidence(evidence="Under the submission's key"),
        leaves=(_REQUESTS,),
    ),
    "rights.Letter": Table(
        "A letter to the person",
        _plain(
            _OURS,
            "case template language way state made_by made_at due_at attempts last_error sent_by sent_at",
        )
        | _evidence(
            to="Under the submission's key",
            subject="Under the submission's key",
            body="Under the submission's key",
        ),
        leaves=(_REQUESTS,),
    ),
    "rights.Approval": Table(
        "A question to the client behind a link",
        _plain(
            _OURS,
            "case kind state asked_by asked_at mail_due_at mailed_at expires_at answered_at answered_by",
        )
        | _secret(digest="SHA-256 of the link")
        | _evidence(
            to="Under the submission's key",
            asked="Under the submission's key",
            name="Under the submission's key",
            words="Under the submission's key",
        ),
        leaves=(_REQUESTS,),
    ),
    "rights.RecipientNotice": Table(
        "Word to somebody to whom data were given",
        _plain(
            _OURS,
            "case about way recipient target_id delivery_id task_id removal_id state created_at due_at sent_at sent_by",
            "confirmed_at receipt",
            ticket="Words of the product, without a number",
        ),
    ),
    "rights.Finding": Table(
        "What a search found of a person at one client",
        _plain(
            _OURS,
            "submission copies found_at erased kept kept_why",
            detail="Counts, names of companies and words of the product",
            kept_by="Counts, by words of the product",
        )
        | _evidence(
            identity="Of which identity",
            caller_id="Of which caller; leads nowhere once the caller is erased",
            count="How many",
            oldest_at="From when",
            newest_at="Until when",
        ),
        leaves=(_REQUESTS,),
    ),
    "rights.Package": Table(
        "Everything about a person as one sealed file",
        _plain(
            _OURS,
            "case state other_party total done file_key size digest link_expires_at created_at ready_at expires_at",
            "ends_when_taken gone_at",
            contents="Counts by category, and what was left out and why",
        )
        | _secret(link_digest="SHA-256 of the link"),
    ),
    "rights.RequestPage": Table(
        "The requests page of a client or an agency, and what staff say there of the company",
        _plain(
            "id agency client sells created_at key_changed_at",
            others="Names of companies, for the notice",
            email="The company's own, for questions",
            phone="The company's own, for questions",
            address="The company's own",
            officer="Who looks after data protection at the company, as it publishes it",
            more_en="Words of staff for the notice",
            more_es="Words of staff for the notice",
        )
        | _secret(key="Stands in the page's public address"),
    ),
    "rights.PrivacyNotice": Table(
        "A published privacy notice",
        _plain(
            _OURS,
            "number digest published_by published_at",
            facts="What was set up: words of the product, names of companies",
            body="The notice by language",
        ),
    ),
    "rights.HouseCode": Table(
        "A code for a phone on an agency's own page, for a day",
        _plain(
            "id agency by_mail tries created_at expires_at used_at",
            number_digest="Keyed digest of the number, under the agency's own key",
        )
        | _secret(digest="Keyed digest of the code"),
        leaves=("rights.services.house_codes.purge",),
    ),
    "rights.Download": Table("That a package was fetched", _plain(_OURS, "package proof at event_id")),
    # --- vault, a database of its own ---
    # --- dashboard ---
    "dashboard.Standing": Table("How a duty of an agency stands", _plain("id agency duty state count since")),
    "dashboard.StandingDay": Table(
        "How many duties stood how on a day", _plain("id agency on good due overdue failing")
    ),
    "dashboard.ClientStanding": Table(
        "How a duty stands at a client", _plain(_OURS, "duty state count since")
    ),
    "dashboard.ClientStandingDay": Table(
        "How many duties were not good at a client on a day", _plain(_OURS, "on due overdue failing")
    ),
    "dashboard.RecordWords": Table(
        "What people say in the records of processing",
        _plain(
            "id agency joint changed_by changed_at",
            recipients="Companies, one a line",
            measures="Sentences on the agency's own security",
            purposes="Our purposes in the agency's words",
            contact="The agency's own",
            representative="The agency's own",
            representatives="Companies that clients named, by client",
            officer="The agency's own",
        ),
    ),
    "dashboard.RecordFacts": Table(
        "What is set up, for the records of processing",
        _plain(
            "id agency read_at", facts="Names of clients, trackers, vendors and systems; no caller is in it"
        ),
    ),
    "dashboard.RecordSnapshot": Table(
        "The records of processing as they stood on a day",
        _plain(
            "id agency number digest taken_by taken_at",
            record="Names of clients, trackers, vendors and systems; no caller is in it",
        ),
    ),
    "dashboard.Binder": Table(
        "A binder of proof of a client",
        _plain(
            _OURS,
            "number state part done parts gaps size digest key_id created_by created_at due_at finished_at",
            "expires_at withdrawn_at",
            file_key="Names a sealed file; what is in it counts people and names none",
            result_key="Names a sealed file; what is in it counts people and names none",
        ),
        leaves=("dashboard.services.binders.sweep",),
    ),
    "dashboard.BinderLink": Table(
        "A link to a binder",
        _plain(
            _OURS, "binder made_by made_at expires_at ended_at taken taken_at", digest="SHA-256 of the link"
        ),
        leaves=("dashboard.services.binders.sweep",),
    ),
    # --- governance ---
    "governance.Vendor": Table(
        "Who else holds data",
        _plain(
            "id agency name sheet provider role what_for categories places transfer contract_on clauses source",
            "verified_on next_review_on created_at ended_on",
        ),
    ),
    "governance.VendorCertificate": Table(
        "A certificate of a vendor", _plain("id agency vendor name valid_until source ended_on")
    ),
    "governance.VendorReview": Table(
        "A review of a vendor, as it was",
        _plain(
            "id agency vendor score decision words reviewed_by reviewed_at next_on",
            answers="Our own questions, with yes or no and where it was seen",
        ),
    ),
    "governance.SubProcessor": Table(
        "Whom a vendor engages",
        _plain("id agency vendor name what_for places noticed_on object_until state"),
    ),
    "governance.VendorIncident": Table(
        "What went wrong at a vendor",
        _plain("id agency vendor happened_on learned_on", words="The form takes no number and no address"),
    ),
    "governance.Breach": Table(
        "A breach, or a drill",
        _plain(
            "id agency number is_drill state kind reported_by reported_at aware_at began_at ended_at contained_at",
            "risk categories places clients people records closed_by closed_at",
            title="A few words for lists; the form takes no number and no address",
        )
        | _evidence(
            words="What happened, under the breach's own key, which the agency holds",
            account="What happened as it is told, likewise",
            effects="Likely consequences, likewise",
            remedy="Measures, likewise",
            lessons="What was learned, likewise",
        ),
        leaves=("callprivacy.vault.services.destroy_client",),
    ),
    "governance.TrainingRule": Table(
        "Which role takes a course", _plain("id agency course role within_days")
    ),
    "governance.Assignment": Table(
        "That a member of staff has to pass a course",
        _plain("id agency user course due_on assigned_at assigned_by reminders reminded_at"),
    ),
    "governance.TrainingDay": Table(
        "How people stood with a course on a day", _plain("id agency on course done due overdue reminders")
    ),
    "governance.Attempt": Table(
        "A try at the questions of a course",
        _plain(
            "id agency user course version seed right asked started_at finished_at",
            answers="Numbers of questions and of chosen answers",
        ),
    ),
    "governance.Completion": Table(
        "That a member of staff passed a course",
        _plain(
            "id agency user course version issuer passed_on valid_until right asked noted_by noted_at file_type",
            "was_due_on was_asked_by ended_at ended_by",
        )
        | _evidence(
            file_key="Name of the sealed certificate from elsewhere, which goes with the row",
            file_digest="SHA-256 of the certificate",
        ),
    ),
    "governance.OwnCourse": Table(
        "A course that the agency wrote", _plain("id agency name created_at created_by ended_at")
    ),
    "governance.CourseVersion": Table(
        "A version of such a course",
        _plain(
            "id agency course number title about minutes valid_months reviewed_on sources edited_at edited_by",
            "published_at",
            screens="What all staff are to read: headings and Markdown",
            questions="What all staff are asked",
        ),
    ),
    "governance.CoursePicture": Table(
        "A picture of such a course; the file lies beside the database",
        _plain("id agency course name kind width height size added_at"),
    ),
    "governance.Site": Table(
        "A place where the agency works",
        _plain("id agency name address time_zone weekdays opens closes rooms created_at closed_on"),
    ),
    "governance.DoorHours": Table(
        "When a room may be entered", _plain("id agency site badge room weekdays opens closes")
    ),
    "governance.SiteKey": Table(
        "A key of a site's badge system",
        _plain("id agency site name key created_by created_at ends_at last_used_on revoked_at")
        | _secret(digest="SHA-256 of the key"),
    ),
    "governance.KioskLink": Table(
        "The address of the page at a site's door",
        _plain("id agency site made_by made_at ends_at last_used_on ended_at")
        | _secret(digest="SHA-256 of the key in the address"),
    ),
    "governance.Badge": Table(
        "A key or badge of a member of staff",
        _plain("id agency site user label any_hour rooms given_on until_on returned_on")
        | _secret(digest="SHA-256 of what a reader reads"),
    ),
    "governance.Entry": Table(
        "Somebody came in",
        _plain(
            "id agency site badge user host entered_at left_at source reference left_reference room flags looked_at",
            "looked_by",
            visitor="Of a visitor to the premises, nobody who called; goes with the entry",
            company="The visitor's company",
            host_said="Whom a visitor asked for, where nobody here is called so",
            purpose="Why the visitor came",
        )
        | _secret(number_digest="Keyed digest of the number to sign out with; goes with the way out"),
    ),
    "governance.BreachNotice": Table(
        "Whom a breach is told to",
        _plain(_OURS, "breach to rule phase due_at state settled_by settled_at told_at")
        | _evidence(
            words="What was sent, under the breach's key",
            why="Why nothing was, likewise",
            facts="What was known when it was sent, likewise",
        ),
        leaves=("callprivacy.vault.services.destroy_client",),
    ),
    "governance.BreachNote": Table(
        "A note on a breach",
        _plain("id agency breach by at") | _evidence(words="Under the breach's key"),
        leaves=("callprivacy.vault.services.destroy_client",),
    ),
    "vault.ClientKey": Table(
        "One generation of a client's key",
        _plain(
            "id client_id agency_id generation created_at token_generation token_oldest token_made_at",
            master="Name of the master key",
        )
        | _secret(
            key="Under FIELD_ENCRYPTION_KEY",
            token_key="The chain of token keys, under FIELD_ENCRYPTION_KEY",
        ),
    ),
    "vault.Caller": Table(
        "A number at one client",
        _plain("client_id generation", token_generation="How many token keys the token went through")
        | _caller("id created_at")
        | _secret(
            token="HMAC-SHA256 of the number under the client's token key; empty once the person is erased",
            content_key="Wrapped by the client's key; destroying it erases the person",
            evidence_key="Wrapped by the client's key; what it opens outlives the erasure",
        ),
        leaves=(_KEYS, "callprivacy.vault.services.erase_callers"),
    ),
    "vault.RecordingKey": Table(
        "The key of one recording",
        _plain("client_id generation")
        | _caller("id caller_id created_at")
        | _secret(wrapped="Wrapped by the caller's content key, or the client's"),
        leaves=(_KEYS, "callprivacy.vault.services.destroy_recording_keys"),
    ),
    "vault.Tombstone": Table(
        "An erased person at one client",
        _plain("id client_id token_generation")
        | _evidence(
            token="So that no replay brings the person back",
            erased_caller_id="Leads nowhere in `default`",
            erased_up_to="Calls until then stay away",
            ends_on="Its own date",
            created_at="When the person was erased",
        ),
    ),
    "vault.CallTombstone": Table(
        "A call erased on request, or placed by ourselves: nothing that is said of it comes in",
        _plain(
            "id client_id", is_start="Whether it is of the number and a second near the start, or of a name"
        )
        | _evidence(
            digest="HMAC-SHA256 under the client's token key: so that no replay brings the call back",
            ends_on="Its own date",
            created_at="When it was erased",
        ),
    ),
    "vault.Suppression": Table(
        "A number that said no to a client, for one purpose",
        _plain("id client_id purpose token_generation")
        | _evidence(
            token="HMAC-SHA256 of the number under the client's token key: the no outlives the person's erasure",
            since="When it was said",
            ends_on="Its own date",
        ),
    ),
    "vault.ListedNumber": Table(
        "A number on a register that the agency uploaded",
        _plain("id list_id token_generation")
        | _evidence(
            token="HMAC-SHA256 of the number under the agency's token key", on="As the register says"
        ),
    ),
    "vault.FolderMark": Table("By which a folder of files is known again", _plain("folder mark made_at")),
    "vault.Pulse": Table("How far `default` is known to be", _plain("id count")),
    "vault.Watermark": Table("Before this instant nothing is let in", _plain("id client_id category before")),
}

# Tables that packages bring along: named whole, because we add no field to them.
PACKAGES: dict[str, Field] = {
    "admin.LogEntry": Field(Is.PLAIN, "Django's own log of the operator's pages; agencies and staff only"),
    "auth.Permission": Field(Is.PLAIN, "Names of permissions"),
    "auth.Group_permissions": Field(Is.PLAIN, "Unused"),
    "auth.Group": Field(Is.PLAIN, "Unused"),
    "contenttypes.ContentType": Field(Is.PLAIN, "Names of models"),
    "sessions.Session": Field(Is.SECRET, "Sessions of staff, signed; no caller's data is put into one"),
    "account.EmailAddress": Field(Is.PLAIN, "Of staff; unused, comes with django-allauth"),
    "account.EmailConfirmation": Field(Is.SECRET, "Of staff; unused, comes with django-allauth"),
    "mfa.Authenticator": Field(
        Is.SECRET, "Second factors of staff: seeds sealed under the master key, public halves of passkeys"
    ),
    "usersessions.UserSession": Field(Is.SECRET, "Sessions of staff: address, browser, when"),
    "axes.AccessFailureLog": Field(Is.PLAIN, "Failed sign-ins of staff: name as typed, address, browser"),
    "axes.AccessAttempt": Field(Is.PLAIN, "Failed sign-ins of staff: name as typed, address, browser"),
    "axes.AccessAttemptExpiration": Field(Is.PLAIN, "When a lockout ends"),
    "axes.AccessLog": Field(Is.PLAIN, "Sign-ins of staff: name, address, browser"),
    "guardian.UserObjectPermission": Field(
        Is.PLAIN, "The database refuses a row: grants are rows of accounts.ClientGrant"
    ),
    "guardian.GroupObjectPermission": Field(
        Is.PLAIN, "The database refuses a row: grants are rows of accounts.ClientGrant"
    ),
}


def data_map() -> str:
    """The register as a page."""
    lines = [
        "# Data map",
        "",
        "The class of every stored field. `python -m tests.rules.fields` writes this page.",
        "",
        "| class | meaning |",
        "|---|---|",
        *(f"| {kind} | {meaning} |" for kind, meaning in MEANING.items()),
        "",
    ]
    for label, table in REGISTER.items():
        lines += [f"## {label}", "", f"{table.about}.", ""]
        if table.leaves:
            lines += ["Leaves by " + ", ".join(f"`{name}`" for name in table.leaves) + ".", ""]
        lines += ["| field | class | why |", "|---|---|---|"]
        lines += [f"| {name} | {field.kind} | {field.why} |" for name, field in sorted(table.fields.items())]
        lines.append("")
    lines += ["## Tables of packages", "", "| table | class | what stands there |", "|---|---|---|"]
    lines += [f"| {label} | {field.kind} | {field.why} |" for label, field in PACKAGES.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    DATA_MAP.write_text(data_map(), encoding="utf-8")
