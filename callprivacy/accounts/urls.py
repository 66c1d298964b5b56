"""Clients, people, grants, the agency, a person's own account, and the door for who was invited."""

from django.urls import path

from callprivacy.accounts.views import agency, api_keys, clients, invitations, matrix, own, people

app_name = "accounts"
urlpatterns = [
    path("clients/", clients.list_clients, name="clients"),
    path("clients/new/", clients.new_client, name="new_client"),
    path("clients/<slug:slug>/", clients.show_client, name="client"),
    path("clients/<slug:slug>/edit/", clients.edit_client, name="edit_client"),
    path("clients/<slug:slug>/engagement/", clients.edit_engagement, name="edit_engagement"),
    path("clients/<slug:slug>/people/", clients.list_people, name="client_people"),
    path("clients/<slug:slug>/keys/", api_keys.list_keys, name="api_keys"),
    path("clients/<slug:slug>/keys/new/", api_keys.create_key, name="create_api_key"),
    path("clients/<slug:slug>/keys/<uuid:api_key_id>/rotate/", api_keys.rotate_key, name="rotate_api_key"),
    path("clients/<slug:slug>/keys/<uuid:api_key_id>/revoke/", api_keys.revoke_key, name="revoke_api_key"),
    path("people/", people.list_people, name="people"),
    path("people/invite/", people.invite, name="invite"),
    path("people/invitations/<int:pk>/send/", people.send_again, name="send_invitation"),
    path("people/invitations/<int:pk>/withdraw/", people.withdraw, name="withdraw_invitation"),
    path("people/matrix/", matrix.show_matrix, name="matrix"),
    path("people/<int:pk>/", people.show_person, name="person"),
    path("people/<int:pk>/role/", people.change_role, name="change_role"),
    path("people/<int:pk>/suspend/", people.suspend, name="suspend"),
    path("people/<int:pk>/reactivate/", people.reactivate, name="reactivate"),
    path("people/<int:pk>/sees/", people.show_what_is_seen, name="sees"),
    path("people/<int:pk>/clients/<slug:slug>/", matrix.change_cell, name="cell"),
    path("agency/", agency.edit_agency, name="agency"),
    path("agencies/", own.choose_agency, name="agencies"),
    path("accounts/sessions/", own.list_sessions, name="sessions"),
    path("accounts/email/", own.not_here),
    path("accounts/password/set/", own.not_here),
    path("invitation/<str:token>/", invitations.accept, name="invitation"),
]
