"""Addresses of the books below ``/api/v1/ledger/``. Codes of accounts hold a colon, ``1110:sandbox``."""

from django.urls import path

from ledger.api import journals, reading

urlpatterns = [
    path("accounts", reading.AccountsView.as_view(), name="ledger-accounts"),
    path("accounts/<str:code>/<str:currency>", reading.AccountView.as_view(), name="ledger-account"),
    path("accounts/<str:code>/<str:currency>/balance", reading.BalanceView.as_view(), name="ledger-balance"),
    path("accounts/<str:code>/<str:currency>/statement", reading.StatementView.as_view(), name="ledger-statement"),
    path("entries", reading.EntriesView.as_view(), name="ledger-entries"),
    path("entries/<str:entry_id>", reading.EntryView.as_view(), name="ledger-entry"),
    path("trial-balance", reading.TrialBalanceView.as_view(), name="ledger-trial-balance"),
    path("periods", reading.PeriodsView.as_view(), name="ledger-periods"),
    path("periods/<str:month>", reading.PeriodView.as_view(), name="ledger-period"),
    path("journals", journals.JournalsView.as_view(), name="ledger-journals"),
    path("journals/<str:journal_id>", journals.JournalView.as_view(), name="ledger-journal"),
]
