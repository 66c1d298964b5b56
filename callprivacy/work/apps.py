from django.apps import AppConfig


class WorkConfig(AppConfig):
    name = "callprivacy.work"
    label = "work"
    verbose_name = "What waits for a person"
