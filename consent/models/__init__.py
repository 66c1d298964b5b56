"""The tables of consent: notices, the ledger, the law that decides, the ways in, what others are asked to do."""

from consent.models.capture import (
    Invitation,
    InvitationBatch,
    MenuSession,
    PhoneCode,
    PhoneMenu,
    Reply,
    TermsDocument,
)
from consent.models.contact import AgencyAge, ApiWrite, ConsentAge, ListCheck, NumberList, NumbersOut
from consent.models.desk import CallBack
from consent.models.law import (
    Acknowledgement,
    AnsweringSite,
    CallerPlace,
    ClientStandard,
    DecidedFrom,
    Declaration,
    MinorMark,
    PackEffect,
    Rejudgement,
    RulePack,
    RuleSignOff,
)
from consent.models.ledger import ConsentEvent, ConsentState, Decision
from consent.models.notices import Notice, NoticeVersion, PostedNotice
from consent.models.setup import SetupMark
from consent.models.vendors import (
    AdDestination,
    VendorTask,
    VendorTaskQuerySet,
    WebhookDelivery,
    WebhookEndpoint,
    Withdrawal,
)
from consent.models.web import Subscription, WebPage
