"""
`make assure`: the small form of each promise, with a fault planted that its trial must find.

Rows are numbered as the goals are. What a test of the suite proves already is run by its node id, with the larger
numbers of tests/scale.py; what needs servers of its own is in the modules beside this one.
"""

from __future__ import annotations

from tools.assure import core, kills
from tools.assure.rows import Edit, Row

ROWS: tuple[Row, ...] = (
    Row(
        "1, 2, 4, 8",
        "Erasing under kills loses nothing and keeps nothing; no deed depends on the queue; what is acknowledged is"
        " stored",
        "`make faults` in short: worker, Valkey and PostgreSQL ended by SIGKILL while nights run and trackers call",
        "0 due rows, keys or recordings left; 0 kept ones lost; 0 acknowledged events lost; the trail verifies",
        trial=kills.nights,
        minutes=14,
    ),
    Row(
        "2",
        "A deadline is a row: what no message announced is found by the sweep",
        "tests of the sweeps with no broker, a mute one, and workers that died",
        "every test passes",
        tests=(
            "calls/test_exports.py::test_without_a_broker_the_export_waits_for_the_sweep",
            "calls/test_exports.py::test_the_sweep_finds_what_no_message_announced",
            "calls/test_exports.py::test_a_worker_that_is_busy_with_it_keeps_it_and_a_dead_one_loses_it",
            "calls/test_inbox.py::test_rows_that_a_worker_died_over_come_back_alone",
            "calls/test_inbox.py::test_the_sweep_wakes_the_agencies_with_something_due",
            "calls/test_hooks.py::test_with_redis_down_the_answer_is_quick_and_the_event_kept",
            "calls/test_hooks.py::test_with_redis_mute_one_answer_waits_a_moment_and_the_next_do_not",
            "retention/test_watch.py::test_rows_are_late_a_day_after_they_fell_due",
        ),
        plants=(
            Edit(
                "the sweep wakes nobody",
                "callprivacy/calls/tasks/inbox.py",
                "        if waits:\n",
                "        if False:\n",
            ),
        ),
        broken=("calls/test_inbox.py::test_the_sweep_wakes_the_agencies_with_something_due",),
    ),
    Row(
        "3",
        "A hold, an erasure and a withdrawal win every race against what comes at the same time",
        "tests with both sides at once, and with the other side between any two steps",
        "0 held rows erased; 0 erased people back",
        tests=(
            "retention/test_holds.py::test_a_batch_that_took_its_turn_while_the_hold_waited_is_waited_for",
            "retention/test_holds.py::test_a_run_leaves_what_is_held_though_nobody_had_marked_it",
            "retention/test_holds.py::test_quarantine_leaves_what_is_held_though_nobody_had_marked_it",
            "retention/test_holds.py::test_a_trackers_redaction_waits_for_the_hold",
            "retention/test_holds.py::test_a_hold_settles_when_no_batch_from_before_runs",
            "retention/test_preview.py::test_a_hold_that_comes_between_two_batches_keeps_the_rest",
            "retention/test_preview.py::test_a_forgotten_person_does_not_come_back_by_replay_or_import",
            "retention/test_preview.py::test_an_expired_recording_does_not_come_back_by_replay_or_import",
            "calls/test_intake.py::test_a_caller_erased_meanwhile_is_noticed",
            "calls/test_intake.py::test_an_erasure_waits_for_the_writer",
            "calls/test_intake.py::test_what_a_run_erased_after_the_batch_was_prepared_is_not_brought_back",
            "calls/test_intake.py::test_who_is_erased_between_the_question_and_the_keys_stays_away",
            "consent/test_store.py::test_who_withdraws_while_it_flows_in_is_obeyed",
            "consent/test_attacks_on_the_ledger.py::test_a_key_and_a_stop_at_the_same_instant_start_no_recording",
        ),
        plants=(
            Edit(
                "quarantine is cleared without bringing the holds up to date",
                "retention/services/erasing.py",
                "        holds.mark_held(client=client, at=at)\n        call_ids",
                "        call_ids",
            ),
        ),
        broken=("retention/test_holds.py::test_quarantine_leaves_what_is_held_though_nobody_had_marked_it",),
    ),
    Row(
        "4",
        "A task that runs twice has its effect once",
        "every task of the registry run again; two workers at once over the same rows",
        "every test passes",
        tests=(
            "rules/test_tasks.py",
            "calls/test_inbox.py::test_two_workers_at_once_take_each_event_once",
            "work/test_mail.py::test_two_workers_at_once_send_each_mail_once",
            "retention/test_runs.py::test_running_again_changes_nothing",
        ),
        plants=(
            Edit(
                "a worker takes rows that another holds",
                "callprivacy/calls/services/inbox.py",
                '.select_for_update(skip_locked=True, of=("self",))\n            .order_by("due_at")',
                '.order_by("due_at")',
            ),
        ),
        broken=("calls/test_inbox.py::test_two_workers_at_once_take_each_event_once",),
    ),
    Row(
        "5",
        "A broker that dies or stops answering is got over without a person",
        "Valkey ended by SIGKILL and started again, and stopped by SIGSTOP, under a worker that a supervisor keeps",
        "the worker takes tasks again within 60 s, every time",
        trial=kills.broker,
        minutes=9,
    ),
    Row(
        "6",
        "A period of a job is claimed once, and none is skipped",
        "claims at the same instant; mornings and nights across clock changes of many zones",
        "every test passes",
        tests=(
            "work/test_items.py::test_a_period_is_claimed_once_a_job_and_agency",
            "work/test_items.py::test_of_several_at_once_and_at_the_same_instant_one_claims",
            "work/test_items.py::test_a_run_that_fails_gives_its_claim_back",
            "accounts/test_rotation.py::test_mornings_across_clock_changes_come_once_a_day",
            "retention/test_runs.py::test_a_cut_off_is_the_start_of_the_clients_day_across_a_clock_change",
            "retention/test_runs.py::test_the_night_begins_at_two_in_the_agencys_zone",
            "retention/test_drills.py::test_a_drill_is_due_once_a_week_and_never_twice_at_once",
        ),
        plants=(
            Edit(
                "who comes second is told yes",
                "callprivacy/work/services.py",
                "    except IntegrityError:  # another transaction claimed it in the meantime\n        return False",
                "    except IntegrityError:\n        return True",
            ),
        ),
        broken=("work/test_items.py::test_of_several_at_once_and_at_the_same_instant_one_claims",),
    ),
    Row(
        "7",
        "No forged webhook is taken, and the true one is taken once in whatever order",
        "true deliveries of three vendors with one thing changed: signature, address, header, body, key, order",
        "0 forged ones accepted; the same call for every order",
        tests=(
            "calls/test_forgeries.py",
            "calls/test_hooks.py",
            "calls/test_intake.py::test_callrails_events_end_in_one_right_row_in_any_order",
            "calls/test_intake.py::test_twilios_events_end_in_one_right_row_in_any_order",
            "calls/test_inbox.py::test_the_same_event_at_the_same_moment_is_kept_once",
        ),
        plants=(
            Edit(
                "CallRail's signature is not compared",
                "callprivacy/calls/providers/callrail.py",
                'verified |= hmac.compare_digest(expected, given) and secret != ""',
                "verified |= bool(given)",
            ),
            Edit(
                "Twilio's signature need only be as long as a true one",
                "callprivacy/calls/providers/twilio.py",
                "verified |= hmac.compare_digest(expected, given)",
                "verified |= len(expected) == len(given)",
            ),
        ),
        broken=("calls/test_forgeries.py",),
    ),
    Row(
        "9",
        "One key of a system, one effect; nothing is sent inward",
        "the same key at once, again, and with another body; addresses of the inside in every dress",
        "1 effect; another body refused; 0 connections to addresses of the inside",
        tests=(
            "consent/test_api.py::test_the_same_key_and_body_is_one_statement_answered_alike",
            "consent/test_attacks_on_the_ledger.py::test_a_second_no_under_an_old_key_is_refused_and_not_swallowed",
            "consent/test_webhooks.py",
            "retention/test_watch.py::test_an_address_inside_our_network_is_refused",
            "consent/test_store.py::test_a_host_that_points_into_a_network_is_not_asked",
            "consent/test_store.py::test_a_redirect_is_followed_and_looked_at_like_the_first_address",
        ),
        plants=(
            Edit(
                "another body under the same key is taken",
                "consent/services/events.py",
                "    if bytes(row.body_digest) != body_digest:\n",
                "    if False:\n",
            ),
        ),
        broken=("consent/test_api.py::test_the_same_key_and_body_is_one_statement_answered_alike",),
    ),
    Row(
        "10",
        "What cannot be written into the trail does not happen",
        "the trail refuses, its sink fails or is full, the reason cannot be sealed, the commit fails",
        "0 numbers shown, 0 changes kept",
        tests=(
            "audit/test_recording.py",
            "audit/test_sinks.py",
            "rules/test_attack.py::test_a_reveal_that_cannot_be_written_down_shows_nothing",
            "calls/test_reveals.py::test_what_cannot_be_recorded_is_not_shown",
            "calls/test_reveals.py::test_a_commit_that_fails_shows_nothing",
            "accounts/test_pages.py::test_a_refusal_is_in_the_trail",
        ),
        plants=(
            Edit(
                "an event may be written outside its deed's transaction",
                "callprivacy/audit/services/recording.py",
                "    if not connection.in_atomic_block:\n",
                "    if False:\n",
            ),
            Edit(
                "an answer of 500 keeps what was done",
                "callprivacy/accounts/middleware.py",
                "                if response.status_code >= 500:\n",
                "                if False:\n",
            ),
        ),
        broken=(
            "audit/test_recording.py::test_outside_a_transaction_nothing_is_recorded",
            "accounts/test_rollback.py",
        ),
    ),
    Row(
        "11",
        "A change of the trail by the database's superuser is seen and named",
        "changes, deletions, insertions, swaps, cut tails, old copies, recomputed hashes; both verifiers",
        "all named; 0 forged proofs accepted; every proof is pymerkle's",
        tests=(
            "audit/test_tampering.py",
            "audit/test_merkle.py",
            "audit/test_bundle_tool.py",
            "audit/test_commands.py",
        ),
        plants=(
            Edit(
                "the verifier compares no leaf",
                "callprivacy/audit/services/verifying.py",
                "                if _leaf(event) != expected[event.pk]:\n",
                "                if False:\n",
            ),
            Edit(
                "a proof is believed whatever its root",
                "callprivacy/audit/merkle.py",
                "    return last == 0 and computed == expected\n\n\ndef consistency_proof",
                "    return last == 0\n\n\ndef consistency_proof",
            ),
        ),
        broken=(
            "audit/test_merkle.py::test_a_flipped_bit_is_never_accepted",
            "audit/test_tampering.py::test_every_one_of_hundreds_of_tamperings_is_seen_and_named",
        ),
        minutes=20,
    ),
    Row(
        "12",
        "Many write into one trail: no gap, no fork, no event without its deed",
        "writers, roll-backs and sealers at once; then both verifiers",
        "every event that was committed is sealed once; the trail verifies",
        tests=("audit/test_sealing.py",),
        plants=(
            Edit(
                "the sealer does not wait for running transactions",
                "callprivacy/audit/services/sealing.py",
                "pg_snapshot_xmin(pg_current_snapshot())::text::bigint",
                "pg_snapshot_xmax(pg_current_snapshot())::text::bigint",
            ),
        ),
        broken=("audit/test_sealing.py::test_a_transaction_still_open_is_waited_for_and_loses_no_event",),
        minutes=6,
    ),
    Row(
        "13",
        "No address crosses agencies or clients",
        "every pattern of the resolver by GET and POST, every role, own, foreign, no ids; path, query, body, lists",
        "foreign and nowhere: the same status and bytes; an address without an entry fails",
        tests=("rules/test_urls.py", "rules/test_crossing.py", "rules/test_attack.py"),
        finders=(
            "rules/test_urls.py::test_the_walk_would_notice_a_door_that_tells",
            "rules/test_crossing.py::test_a_form_that_tells_a_strangers_id_from_none_would_be_noticed",
        ),
        minutes=10,
    ),
    Row(
        "14",
        "PostgreSQL refuses what Python would show",
        "the catalogue lint over every table, policy, key, view, function and role; every page with all filters out",
        "0 findings; 0 foreign rows",
        tests=("rules/test_models.py", "rules/test_scope_everywhere.py"),
        finders=(
            "rules/test_models.py::test_a_table_without_row_security_is_found",
            "rules/test_models.py::test_policies_that_are_missing_or_too_wide_are_found",
            "rules/test_models.py::test_a_unique_key_over_all_agencies_is_found",
            "rules/test_models.py::test_a_function_without_a_pinned_path_is_found",
            "rules/test_models.py::test_a_view_that_asks_as_its_owner_is_found",
            "rules/test_models.py::test_a_foreign_key_that_leaves_the_client_is_found",
            "rules/test_models.py::test_a_role_that_may_more_is_found",
            "rules/test_scope_everywhere.py::test_without_row_security_the_same_walk_sees_everything",
        ),
        minutes=10,
    ),
    Row(
        "15",
        "A connection carries no scope over to the next who uses it",
        "threads on kept connections over agencies and clients, with errors and roll-backs in between",
        "0 foreign rows; no setting at any check-out",
        tests=("tenancy/test_crowd.py", "tenancy/test_scope.py", "tenancy/test_kept_plans.py"),
        plants=(
            Edit(
                "the scope is set for the session",
                "callprivacy/tenancy/scope.py",
                "SELECT set_config('callprivacy.kind', %s, true), set_config('callprivacy.agency', %s, true),\n"
                "           set_config('callprivacy.user', %s, true), set_config('callprivacy.client', %s, true)",
                "SELECT set_config('callprivacy.kind', %s, false), set_config('callprivacy.agency', %s, false),\n"
                "           set_config('callprivacy.user', %s, false), set_config('callprivacy.client', %s, false)",
            ),
        ),
        broken=("tenancy/test_crowd.py",),
        minutes=6,
    ),
    Row(
        "16, 17",
        "No number, name or word in the clear: in no page, search, export, mail, log, queue, file or dump",
        "canaries through every way in; pages of everybody, dumps, Valkey, media and logs searched in 12 encodings",
        "0 hits; a planted canary is found in each store",
        tests=("rules/test_canary.py",),
        finders=(
            "rules/test_canary.py::test_the_scanner_knows_every_dress",
            "rules/test_canary.py::test_the_scanner_knows_every_canary",
        ),
        minutes=5,
    ),
    Row(
        "17",
        "Nothing in the clear at rest",
        "many people with numbers and names, then the data directories with the log of writes, Valkey's files, media,"
        " mail, logs and backups as bytes on the disk",
        "0 hits; a planted canary is found in each store",
        trial=kills.at_rest,
        minutes=8,
    ),
    Row(
        "18",
        "A sealed value opens in its place alone and fails loudly",
        "values moved over rows, columns, tables and clients; bits flipped; other keys; plain text in the column",
        "100 % raise",
        tests=(
            "vault/test_many_swaps.py",
            "vault/test_sealing.py",
            "vault/test_files.py",
            "vault/test_recording_files.py",
        ),
        plants=(
            Edit(
                "a value is not bound to its row",
                "callprivacy/vault/sealing.py",
                'return f"{self.client_id}\\n{self.table}\\n{self.column}\\n{self.row}".encode()',
                'return f"{self.client_id}\\n{self.table}\\n{self.column}".encode()',
            ),
            Edit(
                "a value is not bound to its client",
                "callprivacy/vault/sealing.py",
                'return f"{self.client_id}\\n{self.table}\\n{self.column}\\n{self.row}".encode()',
                'return f"{self.table}\\n{self.column}\\n{self.row}".encode()',
            ),
        ),
        broken=("vault/test_many_swaps.py",),
    ),
    Row(
        "19",
        "Keys change while work goes on, and nothing becomes unreadable",
        "clients', master and token keys rotated while calls come in, workers die and people are erased",
        "0 unreadable; the old key is on 0 rows and destroyed",
        tests=("vault/test_services.py", "vault/test_token_rotation.py", "retention/test_secrets.py"),
        plants=(
            Edit(
                "a re-wrapped key is wrapped by the old one",
                "callprivacy/vault/services.py",
                "into.append(keys.current.seal(old.unseal(bytes(value), place), place))",
                "into.append(old.seal(old.unseal(bytes(value), place), place))",
            ),
        ),
        broken=("vault/test_services.py::test_a_clients_key_is_rotated_and_no_call_is_written_again",),
        minutes=8,
    ),
    Row(
        "22",
        "Guessing at the door is slow, and keeps nobody out",
        "wrong passwords and codes, forged addresses, known devices, unknown names, sessions after a change",
        "every test passes",
        tests=("accounts/test_sign_in.py", "accounts/test_addresses.py", "accounts/test_factors.py"),
        plants=(
            Edit(
                "a name that must wait is let try",
                "callprivacy/accounts/services/sign_in.py",
                "        if cursor.fetchone() is not None:\n",
                "        if True:\n",
            ),
        ),
        broken=(
            "accounts/test_sign_in.py::test_after_five_failures_a_name_waits_longer_and_longer_but_never_over_a_minute",
        ),
        minutes=8,
    ),
    Row(
        "23",
        "What reads bytes from outside fails only as it says it does",
        "any bytes and any payload into each vendor's reader; formulas; absurd values in addresses and forms",
        "0 exceptions but the promised refusal; 0 answers of 5xx",
        tests=(
            "calls/test_providers_callrail.py",
            "calls/test_providers_ctm.py",
            "calls/test_providers_invoca.py",
            "calls/test_providers_twilio.py",
            "calls/test_providers_tabular.py",
            "lib/test_phone.py",
            "lib/test_redact.py",
            "rules/test_attack.py::test_absurd_values_in_forms_are_no_fault_of_ours",
            "rules/test_attack.py::test_absurd_values_in_addresses_are_no_fault_of_ours",
        ),
        plants=(
            Edit(
                "a reader lets an odd body's exception through",
                "callprivacy/calls/providers/callrail.py",
                "        payload = _load(body)\n        if (reason",
                "        payload = json.loads(body)\n        if (reason",
            ),
        ),
        broken=("calls/test_providers_callrail.py",),
        minutes=8,
    ),
    Row(
        "24",
        "Deadlines of requests are the law's",
        "receipt dates, regimes, zones and calendars against a second way of counting",
        "all equal",
        tests=(
            "rights/test_deadlines.py",
            "rights/test_deadline_properties.py",
            "rights/test_deadlines_command.py",
            "governance/test_breach_law.py",
        ),
        plants=(
            Edit(
                "Saturday is a working day",
                "callprivacy/lib/calendars.py",
                "day.weekday() < 5",
                "day.weekday() < 6",
            ),
        ),
        broken=("rights/test_deadlines.py", "rights/test_deadline_properties.py"),
        minutes=6,
    ),
    Row(
        "25",
        "Erasure is complete, and stays so after a restore and a replay",
        "the data map walked by a run; a dump put back; webhooks and files sent again",
        "0 hits live; the number does not come back; a field without a class fails",
        tests=(
            "rules/test_fields.py",
            "rights/test_erasing.py",
            "retention/test_restore.py",
            "retention/test_preview.py::test_a_forgotten_person_does_not_come_back_by_replay_or_import",
        ),
        finders=("rules/test_fields.py::test_a_field_without_a_class_is_found",),
        minutes=8,
    ),
    Row(
        "26",
        "Backups restore, and a damaged one does not",
        "dumps sealed, put back, cut off, changed, opened with another key; drills that must fail",
        "every test passes",
        tests=("retention/test_backups.py", "retention/test_drills.py"),
        finders=(
            "retention/test_drills.py::test_a_canary_that_opens_fails_the_drill",
            "retention/test_drills.py::test_rows_behind_their_line_and_people_without_a_key_fail_the_drill",
        ),
        minutes=8,
    ),
    Row(
        "30",
        "The tests of the core take every branch, and notice a changed line",
        "branch coverage of sealing, trail, scope and decisions by their own tests; random changes of a line",
        "100 % of branches; 90 % of changes noticed",
        trial=core.core,
        minutes=20,
    ),
)
