"""Rules as data: what is read, what is refused, and which rule decides."""

import csv
import hashlib
import io
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from consent import law
from consent.law import Confidence, Days, PackError, Rule, Rules, Topic, load_pack, pack, parse_pack, places
from consent.law.topics import CAME_LATER, Hours
from tests.consent.asking import with_rows

TODAY = date(2026, 11, 25)
HEADER = ",".join(pack.COLUMNS)
SHIPPED = law.shipped_text()


def without(start: str) -> str:
    """The shipped pack without the row that begins so."""
    lines = [line for line in SHIPPED.splitlines() if not line.startswith(start)]
    assert len(lines) == len(SHIPPED.splitlines()) - 1, start
    return "\n".join(lines) + "\n"


def plus(*rows: str) -> str:
    return SHIPPED + "".join(f"{row}\n" for row in rows)


def changed(start: str, old: str, new: str) -> str:
    """The shipped pack with one row said otherwise."""
    line = next(line for line in SHIPPED.splitlines() if line.startswith(start))
    assert old in line
    return SHIPPED.replace(line, line.replace(old, new, 1))


def faults(text: str) -> list[str]:
    with pytest.raises(PackError) as refused:
        parse_pack(text)
    return [str(fault) for fault in refused.value.faults]


def value(country: str, region: str, topic: Topic, on: date = TODAY) -> str:
    return load_pack().for_place(country, region, topic, on).value


class TestShipped:
    def test_every_state_member_and_country_answers_for_recording(self) -> None:
        rules = load_pack()
        asked = [("US", region) for region in places.REGIONS["US"]] + [(m, "") for m in places.MEMBERS]
        asked += [("CA", ""), ("GB", ""), ("AU", "")] + [("AU", region) for region in places.REGIONS["AU"]]
        assert len(places.REGIONS["US"]) == 51 + 5
        assert len(places.MEMBERS) == 27
        for on in (date(2020, 1, 1), TODAY, date(2040, 1, 1)):
            for country, region in asked:
                own = rules.find(country, region, Topic.RECORDING_CONSENT, on)
                assert own is not None, (country, region)
                assert own.country in {country, "EU"}
                assert rules.for_place(country, region, Topic.RECORDING_CONSENT, on) == own or not region

    @pytest.mark.parametrize(
        "region", ["CA", "CT", "DE", "FL", "IL", "MA", "MD", "MI", "MT", "NH", "NV", "PA", "WA", "PR"]
    )
    def test_all_party_states(self, region: str) -> None:
        assert value("US", region, Topic.RECORDING_CONSENT) == "all_party"

    def test_one_party_states_are_the_rest(self) -> None:
        found = [r for r in places.REGIONS["US"] if value("US", r, Topic.RECORDING_CONSENT) == "one_party"]
        assert len(found) == 38
        assert {"TX", "NY", "OR", "VT", "DC", "GA"} <= set(found)

    def test_what_was_researched(self) -> None:
        assert value("DE", "", Topic.RECORDING_CONSENT) == "express_only"
        assert value("DE", "", Topic.NOTICE_SUFFICES) == "no"
        assert value("US", "VA", Topic.DO_NOT_CALL_YEARS) == "10"
        assert value("US", "TX", Topic.DO_NOT_CALL_YEARS) == "5"
        assert value("US", "", Topic.DO_NOT_CALL_YEARS) == "10", "region not known: the strictest"
        assert value("US", "CA", Topic.SIGNAL_HONOURED) == "yes"
        assert value("US", "VA", Topic.SIGNAL_HONOURED) == "no"
        assert load_pack().for_place("US", "FL", Topic.OPT_OUT_DAYS, TODAY).read() == Days(10, business=True)
        assert load_pack().for_place("US", "CA", Topic.SALE_OPT_OUT_DAYS, TODAY).read() == Days(
            15, business=True
        )
        assert "stop" in load_pack().for_place("US", "CA", Topic.WITHDRAWAL_WORDS, TODAY).read()

    def test_future_rules_take_effect_by_themselves(self) -> None:
        assert value("US", "TX", Topic.OPT_OUT_DAYS, date(2025, 4, 10)) == "30 calendar"
        assert value("US", "VA", Topic.DO_NOT_CALL_YEARS, date(2025, 12, 31)) == "5"

    def test_no_date_changes_what_an_order_that_was_not_read_would_replace(self) -> None:
        for on in (date(2026, 12, 1), date(2027, 1, 30), date(2027, 1, 31), date(2028, 1, 1)):
            assert load_pack().for_place("US", "TX", Topic.OPT_OUT_REACH, on).id == "us-opt-out-reach"
            assert value("US", "TX", Topic.OPT_OUT_REACH, on) == "all", "the stricter reading"

    def test_oregon_allows_three_contacts_between_eight_and_eight_since_2026(self) -> None:
        before, since = date(2025, 12, 31), date(2026, 1, 1)
        assert value("US", "OR", Topic.QUIET_HOURS, before) == "08:00-21:00"
        assert value("US", "OR", Topic.QUIET_HOURS, since) == "08:00-20:00"
        assert value("US", "OR", Topic.CONTACTS_PER_DAY, since) == "3"

    @pytest.mark.parametrize(
        ("region", "begins"),
        [
            ("CO", date(2024, 7, 1)),
            ("CT", date(2025, 1, 1)),
            ("TX", date(2025, 1, 1)),
            ("MT", date(2025, 1, 1)),
            ("NJ", date(2025, 7, 15)),
            ("OR", date(2026, 1, 1)),
            ("DE", date(2026, 1, 1)),
        ],
    )
    def test_the_opt_out_signal_counts_from_its_own_day(self, region: str, begins: date) -> None:
        assert value("US", region, Topic.SIGNAL_HONOURED, begins - timedelta(days=1)) == "no"
        assert value("US", region, Topic.SIGNAL_HONOURED, begins) == "yes"

    @pytest.mark.parametrize("member", sorted(places.MEMBERS))
    def test_a_member_that_nobody_researched_is_not_laxer_than_a_place_without_a_row(
        self, member: str
    ) -> None:
        consent = load_pack().for_place(member, "", Topic.RECORDING_CONSENT, TODAY)
        notice = load_pack().for_place(member, "", Topic.NOTICE_SUFFICES, TODAY)
        if "not researched" in consent.citation or member in {"HR", "SI", "RO"}:
            assert (consent.value, notice.value) == ("all_party", "no")
        assert "wikipedia" not in consent.source + notice.source

    def test_every_row_says_where_it_stands_and_none_is_signed_yet(self) -> None:
        for rule in load_pack():
            assert rule.citation
            assert rule.source
            assert rule.signed_off_by == ""
            assert not (rule.is_verified and "general knowledge" in rule.source)
        assert {rule.confidence for rule in load_pack()} == set(Confidence)

    def test_a_row_is_called_verified_where_its_text_was_read(self) -> None:
        assert law.unread(load_pack()) == []
        verified = [rule for rule in load_pack() if rule.is_verified]
        assert len(verified) >= 48
        for rule in verified:
            assert rule.address.startswith("https://"), rule.id
            assert rule.read_on is not None
            assert rule.read_on <= rule.checked_on
            assert 20 <= len(rule.quotation) <= pack.LONGEST_QUOTATION, rule.id
            assert not rule.not_verified
        assert all(rule.not_verified for rule in load_pack() if not rule.is_verified)

    def test_verified_takes_an_address_a_day_and_a_quotation(self) -> None:
        rule = load_pack().get("us-ct-recording-consent")
        assert rule is not None
        assert rule.is_verified
        for without in (replace(rule, address=""), replace(rule, read_on=None), replace(rule, quotation="")):
            assert not without.is_verified, "it decides, and says that it is not verified"
            assert [fault.kind for fault in law.unread([without])] == ["unread"]
        long = replace(rule, quotation="x" * (pack.LONGEST_QUOTATION + 1))
        assert [fault.kind for fault in law.unread([long])] == ["quotation"]

    def test_it_is_read_once(self) -> None:
        assert load_pack() is load_pack()
        assert len(load_pack().digest) == 64


class TestPlaces:
    def test_a_place_without_a_row_takes_the_strictest(self) -> None:
        for topic in Topic:
            fallback = load_pack().for_place("BR", "", topic, TODAY)
            assert fallback.country == places.UNLISTED
            assert all(rule.strictness <= fallback.strictness for rule in load_pack() if rule.topic is topic)

    def test_an_unknown_place_asks_for_everybody(self) -> None:
        assert load_pack().for_place("", "", Topic.RECORDING_CONSENT, TODAY).id == "unknown-recording-consent"
        assert value("US", "", Topic.RECORDING_CONSENT) == "all_party"
        assert value("US", "XY", Topic.RECORDING_CONSENT) == "all_party"

    def test_a_member_has_the_unions_rules_beside_its_own(self) -> None:
        assert value("FR", "", Topic.HEALTH) == "express"
        assert load_pack().for_place("FR", "", Topic.HEALTH, TODAY).country == "EU"
        assert load_pack().for_place("NO", "", Topic.HEALTH, TODAY).country == places.UNLISTED

    def test_a_country_holds_in_its_regions_and_the_stricter_wins(self) -> None:
        assert value("AU", "VIC", Topic.RECORDING_CONSENT) == "informed"
        assert value("AU", "NSW", Topic.RECORDING_CONSENT) == "all_party"
        assert (
            load_pack().for_place("CA", "NS|PE", Topic.RECORDING_CONSENT, TODAY).id == "ca-recording-consent"
        )
        assert value("US", "TX|FL", Topic.RECORDING_CONSENT) == "all_party"

    def test_a_territory_is_found_by_either_code(self) -> None:
        by_country = load_pack().for_place("PR", "", Topic.RECORDING_CONSENT, TODAY)
        assert by_country == load_pack().for_place("US", "PR", Topic.RECORDING_CONSENT, TODAY)

    @pytest.mark.parametrize("written", ["uk", "GB", " gb ", "GBR"])
    def test_spelling(self, written: str) -> None:
        assert load_pack().for_place(written, "", Topic.RECORDING_CONSENT, TODAY).country == "GB"

    def test_every_area_code_has_a_rule(self) -> None:
        """The regions that numbers are resolved to are the regions that rules know."""

        from callprivacy.lib import phone

        with (Path(phone.__file__).parent / "data" / "npa_region.csv").open() as file:
            for row in csv.DictReader(file):
                if row["country"] in {"US", "CA"} and row["region"] != "NON-GEO":
                    _, regions = places.normalise(row["country"], row["region"])
                    assert set(regions) == set(row["region"].split("|")), row


class TestReading:
    def test_a_pack_survives_being_written(self) -> None:
        again = parse_pack(law.dump_pack(load_pack()))
        assert again.rules == load_pack().rules
        assert again.digest == load_pack().digest
        assert parse_pack(SHIPPED.encode()).digest == load_pack().digest
        assert parse_pack(("\ufeff" + SHIPPED.replace("\n", "\r\n")).encode()).digest == load_pack().digest

    def test_a_pack_from_before_quotations_is_read_and_keeps_its_digest(self) -> None:
        bare = [
            replace(rule, address="", read_on=None, quotation="", not_verified="") for rule in load_pack()
        ]
        rows = list(csv.reader(io.StringIO(law.dump_pack(Rules(bare, version="x", digest="x")))))
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows(row[: len(law.BEFORE_QUOTATIONS)] for row in rows[1:])
        old = parse_pack(f"# version: old\n{out.getvalue()}")
        assert old.digest == hashlib.sha256(out.getvalue().encode()).hexdigest()
        assert parse_pack(law.dump_pack(old)).digest == old.digest
        assert not any(rule.is_verified for rule in old)

    @pytest.mark.parametrize("sign", ["=", "+", "-", "@"])
    def test_no_cell_of_the_file_is_a_formula(self, sign: str) -> None:
        first, *others = load_pack().rules
        odd = replace(first, citation=f'{sign}HYPERLINK("https://evil.example")')
        rules = Rules([odd, *others], version="x", digest="x")
        written = law.dump_pack(rules)
        rows = list(csv.reader(io.StringIO(written.partition("\n")[2])))
        assert not [cell for row in rows for cell in row if cell.startswith(sign)]
        assert parse_pack(written).rules[0].citation == odd.citation

    def test_the_digest_is_of_the_rows(self) -> None:
        version, *lines = SHIPPED.splitlines()
        turned = "\n".join(["# version: other", lines[0], *reversed(lines[1:])]) + "\n"
        assert parse_pack(turned).digest == load_pack().digest
        assert parse_pack(turned).version == "other"
        assert version != "# version: other"
        other = changed("us-tx-recording-consent,", "2026-11-24", "2026-11-25")
        assert parse_pack(other).digest != load_pack().digest

    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            ("", "line 1: version"),
            (SHIPPED.split("\n", 1)[1], "line 1: version"),
            (b"\xff", "pack: encoding"),
            ("# version: 1\nid,country\n", "line 2: columns"),
            (plus("us-tx-x,US,TX,vendor_use"), "row: has 4 cells, expected 16"),
            (plus('us-tx-x,"US'), "is not CSV"),
            (changed("us-tx-recording-consent,", ",TX,", ",XY,"), "unknown place: US XY"),
            (changed("us-tx-recording-consent,", ",US,", ",QQ,"), "unknown place: QQ TX"),
            (changed("us-tx-recording-consent,", "recording_consent", "recordings"), "unknown topic: recordings"),
            (changed("us-tx-recording-consent,", "one_party", "two_party"), '"two_party" is none of one_party'),
            (changed("us-tx-recording-consent,", "secondary", "sure"), 'confidence: "sure" is none of'),
            (changed("us-tx-recording-consent,", "2026-11-24", ""), "missing: checked_on is empty"),
            (changed("us-tx-recording-consent,", "2026-11-24", "24.11."), "date: checked_on"),
            (changed("us-tx-recording-consent,", "Tex. Penal Code 16.02", ""), "missing citation"),
            (changed("us-tx-recording-consent,", "us-tx-recording-consent", "US TX"), "id: expected"),
            (changed("us-opt-out-days-2025,", "2025-04-11,,", "2025-04-11,2025-04-11,"), "not after"),
            (plus(next(r for r in SHIPPED.splitlines() if r.startswith("us-tx-recording"))), "id: is used twice"),
        ],
    )  # fmt: skip
    def test_what_is_refused(self, text: str | bytes, fault: str) -> None:
        assert any(fault in found for found in faults(text)), faults(text)  # type: ignore[arg-type]  # facts of a table

    def test_overlap_and_gap_name_their_row(self) -> None:
        overlap = changed("us-opt-out-days-2025,", "2025-04-11,,", "2025-04-10,,")
        assert (
            "us-opt-out-days-2025: overlap: US, opt_out_days: us-opt-out-days still applies on 2025-04-10"
            in faults(overlap)
        )
        gap = changed("us-opt-out-days-2025,", "2025-04-11,,", "2025-04-13,,")
        assert faults(gap) == [
            "us-opt-out-days-2025: gap: US, opt_out_days: no rule applies from 2025-04-11 to 2025-04-13"
        ]

    def test_a_listed_place_must_answer_on_every_day(self) -> None:
        assert faults(without("us-tx-recording-consent,")) == ["US TX: gap: no row on recording_consent"]
        assert faults(without("fr-recording-consent,")) == ["FR: gap: no row on recording_consent"]
        late = changed("us-tx-recording-consent,", ",,,secondary", ",2027-01-01,,secondary")
        assert faults(late) == ["us-tx-recording-consent: gap: US TX: no rule applies before 2027-01-01"]
        ends = changed("us-tx-recording-consent,", ",,,secondary", ",,2027-01-01,secondary")
        assert faults(ends) == ["us-tx-recording-consent: gap: US TX: no rule applies from 2027-01-01"]

    def test_the_fallback_cannot_be_weak(self) -> None:
        assert any(
            "unlisted-recording-consent: weak" in f
            for f in faults(changed("unlisted-recording-consent,", "express_only", "all_party"))
        )
        assert any(
            "unknown-recording-consent: weak" in f
            for f in faults(changed("unknown-recording-consent,", "all_party", "one_party"))
        )
        assert any("vendor_use: gap" in f for f in faults(without("unlisted-vendor-use,")))

    def test_a_pack_is_silent_on_no_topic(self) -> None:
        for topic in set(Topic) - CAME_LATER:
            kept = [line for line in SHIPPED.splitlines() if f",{topic}," not in line]
            assert any(found.startswith(f"{topic}: gap") for found in faults("\n".join(kept) + "\n")), topic

    def test_a_pack_from_before_a_topic_is_read(self) -> None:
        kept = [line for line in SHIPPED.splitlines() if f",{Topic.ASKING_BY_MAIL}," not in line]
        assert len(parse_pack("\n".join(kept) + "\n")) == len(kept) - 2
        assert any("asking_by_mail: gap" in f for f in faults(without("unlisted-asking-by-mail,")))

    def test_every_fault_is_named(self) -> None:
        text = changed("us-tx-recording-consent,", "Tex. Penal Code 16.02", "").replace(
            "Ala. Code 13A-11-30", ""
        )
        assert len([fault for fault in faults(text) if "missing citation" in fault]) == 2

    def test_a_pack_too_large_is_not_read(self) -> None:
        assert "pack: size" in faults("# version: 1\n" + "x" * pack.LARGEST)[0]


class TestTopics:
    def test_days(self) -> None:
        assert Topic.OPT_OUT_DAYS.read("15 calendar") == Days(15, business=False)
        assert str(Days(10, business=True)) == "10 business days"
        assert Topic.OPT_OUT_DAYS.strictness("10 business") > Topic.OPT_OUT_DAYS.strictness("15 calendar")
        assert Topic.OPT_OUT_DAYS.strictness("13 calendar") > Topic.OPT_OUT_DAYS.strictness("10 business")
        for odd in ("10", "ten business", "10 Business", "-1 calendar"):
            with pytest.raises(ValueError, match="is not a number"):
                Topic.OPT_OUT_DAYS.read(odd)

    def test_hours(self) -> None:
        canada: Hours = Topic.QUIET_HOURS.read("mon-fri 09:00-21:30; sat-sun 10:00-18:00")
        assert canada.allow(0, time(9, 0))
        assert not canada.allow(0, time(8, 59))
        assert not canada.allow(4, time(21, 30))
        assert not canada.allow(5, time(9, 0))
        lunch: Hours = Topic.QUIET_HOURS.read("mon-fri 10:00-13:00; mon-fri 14:00-20:00")
        assert not lunch.allow(2, time(13, 30))
        assert lunch.allow(2, time(14, 0))
        assert not lunch.allow(6, time(14, 0))
        closed = "08:00-20:00; not on holidays"
        assert (Topic.QUIET_HOURS.read(closed).on_holidays, lunch.on_holidays) == (False, True)
        assert Topic.QUIET_HOURS.strictness(closed) > Topic.QUIET_HOURS.strictness("08:00-20:00")
        assert Topic.QUIET_HOURS.strictness("08:00-19:59") > Topic.QUIET_HOURS.strictness(closed)
        assert Topic.QUIET_HOURS.strictness("08:00-20:00") > Topic.QUIET_HOURS.strictness("08:00-21:00")
        for odd in (
            "8-21",
            "21:00-08:00",
            "fri-mon 08:00-21:00",
            "mo 08:00-21:00",
            "08:00-12:00; mon 09:00-13:00",
            "not on holidays",
            "08:00-12:00; not on holidays; mon 14:00-15:00",
        ):
            with pytest.raises(ValueError, match='"'):
                Topic.QUIET_HOURS.read(odd)

    def test_numbers_and_lists(self) -> None:
        assert Topic.DO_NOT_CALL_YEARS.read("5") == 5
        assert Topic.DO_NOT_CALL_YEARS.strictness("10") > Topic.DO_NOT_CALL_YEARS.strictness("5")
        assert Topic.RECORDING_MONTHS.strictness("6") > Topic.RECORDING_MONTHS.strictness("12")
        assert Topic.WITHDRAWAL_WORDS.read("stop|opt out") == ("stop", "opt out")
        for topic, odd in ((Topic.DO_NOT_CALL_YEARS, "five"), (Topic.WITHDRAWAL_WORDS, "stop||end")):
            with pytest.raises(ValueError, match='"'):
                topic.read(odd)

    def test_each_says_what_it_is_about(self) -> None:
        assert all(topic.meaning for topic in Topic)


class TestDifference:
    def test_of_a_pack_to_itself_is_nothing(self) -> None:
        found = law.difference(load_pack(), parse_pack(SHIPPED))
        assert not found
        assert found.places == frozenset()

    def test_it_names_what_is_added_removed_and_said_otherwise(self) -> None:
        texas = load_pack().get("us-tx-recording-consent")
        checked = load_pack().get("us-ny-recording-consent")
        assert texas is not None
        assert checked is not None
        newer = replace(checked, checked_on=date(2027, 1, 1), signed_off_by="Counsel, US")
        added = replace(texas, id="us-tx-vendor-use", topic=Topic.VENDOR_USE, value="unrestricted")
        new = with_rows(replace(texas, value="all_party"), newer, added)
        found = law.difference(load_pack(), new)
        assert [rule.id for rule in found.added] == ["us-tx-vendor-use"]
        assert [old.id for old, _ in found.changed] == ["us-ny-recording-consent", "us-tx-recording-consent"]
        assert found.places == {("US", "TX")}, "what was only checked and signed decides nothing"
        assert found.topics == {Topic.RECORDING_CONSENT, Topic.VENDOR_USE}
        assert [rule.id for rule in law.difference(new, load_pack()).removed] == ["us-tx-vendor-use"]


class TestEras:
    def test_a_rule_begins_with_its_day_in_utc(self) -> None:
        rules = load_pack()
        before = rules.era(datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC))
        assert rules.era(datetime(2027, 1, 1, tzinfo=UTC)) == before + 1
        assert rules.day_of(before + 1) == date(2027, 1, 1)
        assert rules.era(datetime.combine(rules.day_of(before), time.min, tzinfo=UTC)) == before
        assert rules.day_of(0) < rules.day_of(1)

    def test_a_pack_without_dates_has_one(self) -> None:
        timeless = Rules([rule for rule in load_pack() if rule.country == "ZZ"], version="x", digest="x")
        assert timeless.era(datetime(2026, 1, 1, tzinfo=UTC)) == 0
        assert timeless.day_of(0) == date(2000, 1, 1)
        with pytest.raises(law.NoRuleError):
            timeless.for_place("", "", Topic.HEALTH, TODAY)

    def test_what_is_kept_is_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("consent.law.book.KEPT_ANSWERS", 3)
        rules = parse_pack(SHIPPED)
        for country in ("US", "GB", "FR", "DE", "ES", "US"):
            assert rules.for_place(country, "", Topic.HEALTH, TODAY).value == "express"
        assert len(rules._answers) <= 3

    def test_in_force(self) -> None:
        ids = {rule.id for rule in load_pack().in_force(TODAY)}
        assert "us-opt-out-days-2025" in ids
        assert "us-ok-signal-honoured" not in ids


class TestCheckRules:
    def run(self, *arguments: str) -> tuple[int, str, list[str]]:
        out, err = io.StringIO(), io.StringIO()
        try:
            call_command("check_rules", *arguments, stdout=out, stderr=err)
        except SystemExit as ended:
            return int(str(ended.code)), out.getvalue(), err.getvalue().splitlines()
        return 0, out.getvalue(), err.getvalue().splitlines()

    def test_the_shipped_rules_hold_on_the_day_they_were_checked(self) -> None:
        code, out, err = self.run("--on", "2026-11-25")
        assert (code, err) == (0, [])
        assert f"{len(load_pack())} not signed off" in out
        assert out.rstrip().endswith("no findings.")

    def test_rows_unchecked_for_ninety_days_fail_each_by_name(self) -> None:
        assert self.run("--on", "2027-02-21")[0] == 0
        code, out, err = self.run("--on", "2027-02-22")
        assert code == 1
        assert "us-tx-recording-consent: unchecked: last checked on 2026-11-24, 90 days ago" in err
        assert f"{len(err)} findings." in out

    def test_a_pack_is_checked_before_it_is_imported(self, tmp_path: Path) -> None:
        path = tmp_path / "pack.csv"
        path.write_text(without("us-tx-recording-consent,"))
        code, out, err = self.run(str(path), "--on", "2026-11-25")
        assert (code, err) == (1, ["US TX: gap: no row on recording_consent"])
        assert out.rstrip().endswith("1 finding.")

    def test_a_pack_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(CommandError, match="cannot be read"):
            call_command("check_rules", str(tmp_path / "none"))

    def test_without_a_day_it_is_today(self) -> None:
        assert self.run()[1].startswith("Rules ")


def test_a_rule_knows_when_it_holds() -> None:
    rule = load_pack().get("us-ok-signal-honoured")
    assert isinstance(rule, Rule)
    assert not rule.holds_on(date(2026, 12, 31))
    assert rule.holds_on(date(2027, 1, 1))
    assert load_pack().get("none") is None
    assert repr(load_pack()).startswith("<Rules 2026")
