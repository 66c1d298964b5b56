"""The door at which an agency's provider tells that somebody signed out there; it signs what it sends."""

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from callprivacy.accounts import providers
from callprivacy.accounts.adapter import client_address
from callprivacy.accounts.services import sso


@csrf_exempt
@login_not_required
@never_cache
@require_POST
def signed_out(request: HttpRequest, key: str) -> HttpResponse:
    """Where the provider tells us that somebody signed out there, or was shut out: their sessions here end."""
    door, at, address = sso.open_door(key), timezone.now(), client_address(request)
    if door is None:
        raise Http404
    if sso.must_wait(door=door, address=address, at=at, signs_out=True):
        return HttpResponse(status=429)
    try:
        said = providers.signed_out(request.POST.get("logout_token", ""), party=door.party, at=at)
    except providers.NoWordError as error:
        # Whoever has the provider send them from its own address keeps its true ones away by none of these.
        sso.record_no_word(door=door, address=address, why=error.why, at=at)
        return JsonResponse({"error": "invalid_request"}, status=400)
    except providers.BusyError:
        # Many sign out at once. It is no fault of who says so, who has to say it again.
        return HttpResponse(status=503, headers={"Retry-After": "10"})
    except providers.RefusedError as error:
        sso.record_refusal(door=door, address=address, why=error.why, at=at, signs_out=True)
        return JsonResponse({"error": "invalid_request"}, status=400)
    sso.sign_out(door=door, said=said, at=at)
    sso.forget_refusals(door=door, address=address, signs_out=True)
    return HttpResponse()
