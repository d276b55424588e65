"""Proposals with their second person, comments, attachments, owners, and forms that count once."""

from paymentops.casework.models.forms import FormToken
from paymentops.casework.models.ownership import Ownership, OwnershipChange
from paymentops.casework.models.papers import Attachment, AttachmentBinding, Comment
from paymentops.casework.models.proposal import DECIDED, OPEN, Proposal, ProposalState, ProposalTransition
from paymentops.casework.models.subject import Subject

__all__ = [
    "DECIDED",
    "OPEN",
    "Attachment",
    "AttachmentBinding",
    "Comment",
    "FormToken",
    "Ownership",
    "OwnershipChange",
    "Proposal",
    "ProposalState",
    "ProposalTransition",
    "Subject",
]
