"""Look-up pages of ``access``: people and roles, API clients and keys, the audit log."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.forms import AdminPasswordChangeForm, BaseDialogForm, UserChangeForm, UserCreationForm
from unfold.paginator import InfinitePaginator
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from paymentops.access import operations, pages, roles
from paymentops.access.models import ApiClient, ApiKey, AuditEntry, DuplicatePolicy, Team, User
from paymentops.core import clock


class LookUpAdmin(ModelAdmin):
    """A page that only shows; rows are made and changed by operations. Pages of a large table need no count."""

    paginator = InfinitePaginator
    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - the framework's signature
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        """Refuse."""
        return False


class Audited:
    """Mixed into a page whose forms change rows: each change leaves its audit row, with the values before and after."""

    audited_as = ""

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        """Refuse: what people did keeps the name of who and what."""
        return False

    def construct_change_message(
        self,
        request: HttpRequest,  # noqa: ARG002 - the framework's signature
        form: forms.ModelForm,  # type: ignore[type-arg]
        formsets: Any,  # noqa: ARG002
        add: bool = False,  # noqa: ARG002
    ) -> Any:
        """Return what changed, before and after, for the audit row; passwords only by name."""
        changed = form.changed_data
        return {
            "before": {name: _shown(name, form.initial.get(name)) for name in changed},
            "after": {name: _shown(name, form.cleaned_data.get(name)) for name in changed},
        }

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> None:
        """Write the audit row of a new row."""
        self._audit(request, obj, f"{self.audited_as}.add", message)

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> None:
        """Write the audit row of a change to a row."""
        self._audit(request, obj, f"{self.audited_as}.change", message)

    def _audit(self, request: HttpRequest, obj: Any, what: str, message: dict[str, Any]) -> None:
        operations.audit(
            action=what,
            actor=pages.person(request),
            object_type=self.audited_as,
            object_id=str(obj),
            before=message["before"],
            after=message["after"],
            now=clock.now(),
        )


class ReasonForm(BaseDialogForm):
    """Asks for the reason of an action."""

    reason = forms.CharField(label="Reason", max_length=500, widget=UnfoldAdminTextareaWidget)


def back_to(request: HttpRequest, url: str) -> HttpResponse:
    """Leave a dialog for a page, with and without htmx."""
    if "HX-Request" in request.headers:
        return HttpResponse(headers={"HX-Redirect": url})
    return redirect(url)


@admin.register(AuditEntry)
class AuditEntryAdmin(LookUpAdmin):
    """The audit log, newest first."""

    list_display = ("at", "actor", "actor_kind", "action", "object_type", "object_id", "reason")
    list_filter = ("actor_kind", "action", "object_type")
    search_fields = ("=object_id", "=actor", "=request_id")
    search_help_text = "Exact id of the object, actor or request"
    ordering = ("-id",)


class DuplicatePolicyForm(ReasonForm):
    """Asks for a client's policy towards suspected duplicates."""

    policy = forms.ChoiceField(label="Policy", choices=DuplicatePolicy.choices, widget=UnfoldAdminSelectWidget)
    window_seconds = forms.IntegerField(
        label="Window in seconds",
        min_value=1,
        max_value=operations.LONGEST_WINDOW_SECONDS,
        required=False,
        help_text="Empty for the setting of the whole system.",
        widget=UnfoldAdminIntegerFieldWidget,
    )


@admin.register(ApiClient)
class ApiClientAdmin(LookUpAdmin):
    """Services that call the API."""

    list_display = ("name", "public_id", "duplicate_policy", "created_at", "disabled_at")
    fields = ("name", "public_id", "duplicate_policy", "duplicate_window_seconds", "created_at", "disabled_at")
    search_fields = ("name",)
    actions_detail: ClassVar = ["set_duplicate_policy"]

    def has_set_duplicate_policy_permission(
        self,
        request: HttpRequest,
        object_id: str | None = None,  # noqa: ARG002 - Unfold's signature
    ) -> bool:
        """Tell whether the person may change the policy."""
        return request.user.has_perm("access.set_duplicate_policy")

    @action(
        description="Suspected duplicates",
        permissions=["set_duplicate_policy"],
        dialog={
            "title": "What happens to payments that look like duplicates",
            "description": "Payments of the same payer or reference, amount and currency within the window, under "
            "different keys. It counts from the next request on.",
            "form_class": DuplicatePolicyForm,
            "form_submit_text": "Set",
        },
    )
    def set_duplicate_policy(self, request: HttpRequest, form: DuplicatePolicyForm, object_id: str) -> HttpResponse:
        """Set the policy of the client shown."""
        client = operations.set_duplicate_policy(
            client_id=ApiClient.objects.values_list("pk", flat=True).get(pk=object_id),
            policy=form.cleaned_data["policy"],
            window_seconds=form.cleaned_data["window_seconds"],
            reason=form.cleaned_data["reason"],
            by=pages.person(request),
            now=clock.now(),
        )
        messages.success(request, f"The policy of {client.name} is {client.duplicate_policy}.")
        return back_to(request, reverse("admin:access_apiclient_change", args=[object_id]))


@admin.register(ApiKey)
class ApiKeyAdmin(LookUpAdmin):
    """Keys of the services; the secret itself is kept nowhere."""

    list_display = (
        "prefix",
        "client",
        "scopes",
        "created_at",
        "created_by",
        "last_used_at",
        "expires_at",
        "revoked_at",
    )
    list_select_related = ("client",)
    list_filter = ("client",)
    search_fields = ("=prefix", "client__name")
    fields = list_display
    actions_detail: ClassVar = ["revoke"]

    def has_revoke_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:  # noqa: ARG002
        """Tell whether the person may revoke keys."""
        return request.user.has_perm("access.revoke_apikey")

    @action(
        description="Revoke this key",
        permissions=["revoke"],
        dialog={
            "title": "Revoke this API key",
            "description": "Every call with it is refused from this moment on. A revoked key cannot be opened again.",
            "form_class": ReasonForm,
            "form_submit_text": "Revoke",
        },
    )
    def revoke(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        """Revoke the key shown."""
        key = operations.revoke_key(
            prefix=ApiKey.objects.values_list("prefix", flat=True).get(pk=object_id),
            reason=form.cleaned_data["reason"],
            by=pages.person(request),
            now=clock.now(),
        )
        messages.success(request, f"The key {key.prefix} is revoked.")
        return back_to(request, reverse("admin:access_apikey_change", args=[object_id]))


@admin.register(User)
class UserAdmin(Audited, DjangoUserAdmin, ModelAdmin):  # type: ignore[type-arg, misc]
    """Members of staff. Nobody is deleted: what people did keeps their name; they are made inactive."""

    audited_as = "user"
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "first_name", "last_name", "email", "roles", "is_active", "last_login")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """Fetch the roles with the people."""
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description="Roles")
    def roles(self, user: User) -> str:
        """Name the roles of a person."""
        return ", ".join(group.name for group in user.groups.all())

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        """Keep what only a superuser may give: superuser, and single permissions beside the roles."""
        fields = tuple(super().get_readonly_fields(request, obj))
        return fields if request.user.is_superuser else (*fields, "is_superuser", "user_permissions", "last_login")

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Let nobody but a superuser change a superuser."""
        if isinstance(obj, User) and obj.is_superuser and not request.user.is_superuser:
            return False
        return bool(super().has_change_permission(request, obj))

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        """Change a password and write its audit row in one transaction."""
        with transaction.atomic():
            return super().user_change_password(request, id, form_url)


def _shown(name: str, value: Any) -> Any:
    if "password" in name:
        return "***"
    if isinstance(value, list | tuple | QuerySet):
        return sorted(str(item) for item in value)
    return value if value is None or isinstance(value, bool | int | str) else str(value)


@admin.register(Team)
class TeamAdmin(Audited, ModelAdmin):
    """Teams and who is in them."""

    audited_as = "team"
    list_display = ("name", "shown_members", "is_active")
    filter_horizontal = ("members",)
    search_fields = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Team]:
        """Fetch the people with the teams."""
        teams: QuerySet[Team] = super().get_queryset(request)
        return teams.prefetch_related("members")

    @admin.display(description="Members")
    def shown_members(self, team: Team) -> str:
        """Name the people of a team."""
        return ", ".join(sorted(user.get_username() for user in team.members.all()))


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    """Roles. Those of the code are shown only; ``manage.py migrate`` sets them."""

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        """Refuse for the roles of the code."""
        return not _is_built_in(obj) and bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        """Refuse for the roles of the code."""
        return not _is_built_in(obj) and bool(super().has_delete_permission(request, obj))


def _is_built_in(group: Group | None) -> bool:
    return group is not None and group.name in {role.name for role in roles.ROLES}
