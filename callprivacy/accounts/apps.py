from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "callprivacy.accounts"
    label = "accounts"
    verbose_name = "People"
