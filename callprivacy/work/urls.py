"""The queue's and the bell's addresses."""

from django.urls import path

from callprivacy.work import views

app_name = "work"

urlpatterns = [
    path("work/", views.show_queue, name="queue"),
    path("work/items/", views.change_items, name="change_items"),
    path("work/items/<uuid:item_id>/", views.open_step, name="step"),
    path("people/<int:pk>/leaves/", views.see_off, name="leaver"),
    path("notifications/", views.show_notifications, name="notifications"),
    path("notifications/mail/", views.choose_mail, name="choose_mail"),
    path("notifications/read/", views.read_all, name="read_all"),
    path("notifications/<uuid:notification_id>/", views.open_notification, name="notification"),
]
