from django.apps import AppConfig


class CallsConfig(AppConfig):
    name = "callprivacy.calls"
    label = "calls"
    verbose_name = "Calls"
