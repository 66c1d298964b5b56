from django.apps import AppConfig
from django.conf import settings


class ConsentConfig(AppConfig):
    name = "consent"
    label = "consent"
    verbose_name = "Consent"

    def ready(self) -> None:
        from consent import kinds  # noqa: PLC0415  (apps are loaded now)

        kinds.register_all()
        if settings.CALLPRIVACY_TAKES_MAIL:
            from anymail.signals import inbound, tracking  # noqa: PLC0415  (only where mail is taken)

            from consent import adapter  # noqa: PLC0415  (models load after the apps)

            inbound.connect(adapter.take_mail, dispatch_uid="consent.take_mail")
            tracking.connect(adapter.take_news, dispatch_uid="consent.take_news")
