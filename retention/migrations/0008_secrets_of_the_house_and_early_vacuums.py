"""Four more kinds of secrets have an age; what loses rows each night beside the calls is vacuumed as early as they are."""

from django.db import migrations, models

_KINDS = [
    ("master", "Master key"),
    ("client", "Keys of clients"),
    ("token", "Token keys of clients"),
    ("signing", "Signing keys"),
    ("connection", "Secrets of connections"),
    ("api", "Keys of the API"),
    ("endpoint", "Secrets of endpoints"),
    ("django", "Key of sessions and forms"),
    ("metrics", "Token of the metrics"),
    ("backup", "Recipients of backups"),
    ("database", "Passwords of the databases"),
]
_TABLES = (
    "consent_consentevent",
    "consent_consentstate",
    "consent_decision",
    "consent_vendortask",
    "retention_leftover",
    "audit_reason",
    "calls_inbox",
)
_SETTINGS = {
    "autovacuum_vacuum_scale_factor": "0.02",
    "autovacuum_vacuum_threshold": "1000",
    "autovacuum_vacuum_insert_scale_factor": "0.05",
    "autovacuum_analyze_scale_factor": "0.02",
}


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0001_initial"),
        ("calls", "0001_initial"),
        ("consent", "0008_withdrawals"),
        ("retention", "0007_what_opens_a_vendors_list"),
    ]

    operations = [
        migrations.AlterField("secretlimit", "kind", models.CharField(choices=_KINDS, max_length=12)),
        migrations.AlterField("rotation", "kind", models.CharField(choices=_KINDS, max_length=12)),
        *(
            migrations.RunSQL(
                f"ALTER TABLE {table} SET ({', '.join(f'{name} = {value}' for name, value in _SETTINGS.items())});",
                f"ALTER TABLE {table} RESET ({', '.join(_SETTINGS)});",
            )
            for table in _TABLES
        ),
    ]
