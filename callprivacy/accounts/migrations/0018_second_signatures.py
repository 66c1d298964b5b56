"""Who made an officer, since when a signature counts as the second one, and where people were when they signed."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

_USER = settings.AUTH_USER_MODEL

# Officers come by an invitation that two have confirmed, which is accepted in the scope of a job. No request of a
# person of the staff makes one, whatever it writes.
_TRIGGER = """
CREATE FUNCTION accounts_officer_by_two() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF scope_kind() = 'staff' AND NEW.role = 'officer' AND NEW.state = 'active'
       AND (TG_OP = 'INSERT' OR OLD.role <> 'officer' OR OLD.state <> 'active') THEN
        RAISE EXCEPTION 'an officer is made by a confirmed invitation' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER accounts_membership_officer_by_two BEFORE INSERT OR UPDATE OF role, state ON accounts_membership
FOR EACH ROW EXECUTE FUNCTION accounts_officer_by_two();
"""
_MANAGERS = "agency_id = (SELECT scope_agency()) AND (SELECT scope_knows_all_clients())"
_OPERATORS = "needs_second AND (SELECT scope_kind()) = 'operator'"
_NO_TRIGGER = """
DROP TRIGGER accounts_membership_officer_by_two ON accounts_membership;
DROP FUNCTION accounts_officer_by_two();
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0017_who_has_to_have_a_second_factor")]

    operations = [
        migrations.CreateModel(
            name="SignInMark",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("digest", models.BinaryField(max_length=32)),
                ("is_network", models.BooleanField()),
                ("seen_at", models.DateTimeField()),
                ("user", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to=_USER)),
            ],
            options={
                "indexes": [models.Index(fields=["seen_at"], name="accounts_mark_seen")],
                "constraints": [models.UniqueConstraint(fields=("user", "digest"), name="accounts_mark_once")],
            },
        ),
        migrations.AddField(
            model_name="membership",
            name="made_by",
            field=models.ForeignKey(
                editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=_USER
            ),
        ),
        migrations.AddField(
            model_name="membership", name="made_at", field=models.DateTimeField(editable=False, null=True)
        ),
        migrations.AddField(
            model_name="membership", name="signs_from", field=models.DateTimeField(editable=False, null=True)
        ),
        migrations.AddField(
            model_name="invitation",
            name="needs_second",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="invitation",
            name="confirmed_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=_USER
            ),
        ),
        migrations.AddField(
            model_name="invitation", name="confirmed_at", field=models.DateTimeField(blank=True, null=True)
        ),
        migrations.AddField(
            model_name="signinpolicy",
            name="second_after_hours",
            field=models.PositiveSmallIntegerField(db_default=72, default=72),
        ),
        migrations.AddConstraint(
            model_name="invitation",
            constraint=models.CheckConstraint(
                condition=models.Q(confirmed_by=None) | models.Q(("confirmed_by", models.F("invited_by")), _negated=True),
                name="accounts_invitation_by_two",
            ),
        ),
        migrations.AddConstraint(
            model_name="signinpolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(second_after_hours__gte=24, second_after_hours__lte=720),
                name="accounts_policy_second_after",
            ),
        ),
        migrations.RunSQL(_TRIGGER, _NO_TRIGGER),
        migrations.RunSQL(
            f"ALTER POLICY accounts_invitation_read ON accounts_invitation USING (({_MANAGERS}) OR ({_OPERATORS}));",
            f"ALTER POLICY accounts_invitation_read ON accounts_invitation USING ({_MANAGERS});",
        ),
    ]
