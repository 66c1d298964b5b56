from django.db import migrations


class Migration(migrations.Migration):
    """A withdrawal whose steps have statutory dates names the earliest of them."""

    dependencies = [
        ('consent', '0028_effects_leave_with_their_pack'),
    ]

    operations = [
        migrations.RunSQL(
            """
            UPDATE consent_withdrawal w SET law = t.law, outer_at = t.outer_at
            FROM (
                SELECT DISTINCT ON (withdrawal_id) withdrawal_id, law, outer_at FROM consent_vendortask
                WHERE law <> '' AND withdrawal_id IS NOT NULL ORDER BY withdrawal_id, outer_at, law
            ) t
            WHERE t.withdrawal_id = w.id AND w.law = '' AND w.planned_at IS NOT NULL
            """,
            migrations.RunSQL.noop,
        ),
    ]
