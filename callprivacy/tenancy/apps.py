from django.apps import AppConfig


class TenancyConfig(AppConfig):
    name = "callprivacy.tenancy"
    label = "tenancy"
    verbose_name = "Agencies and clients"
