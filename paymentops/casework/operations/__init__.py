"""Writes of the room ``casework``: proposals and their second person, comments, files, owners, forms."""

from paymentops.casework.operations.attaching import AttachmentNotUsable, bind, discard_orphans, upload
from paymentops.casework.operations.commenting import comment, edit_comment
from paymentops.casework.operations.deciding import (
    Decision,
    OwnProposal,
    StaleFacts,
    approve,
    overtake,
    reject,
    withdraw,
)
from paymentops.casework.operations.moving import ProposalChanged, ProposalNotFound
from paymentops.casework.operations.owning import OwnerChanged, accept, assign, claim, decline, hand_over, release
from paymentops.casework.operations.proposing import AlreadyProposed, Draft, propose
from paymentops.casework.operations.rights import NotAllowed
from paymentops.casework.operations.submitting import Submission, forget_forms, submit_once

__all__ = [
    "AlreadyProposed",
    "AttachmentNotUsable",
    "Decision",
    "Draft",
    "NotAllowed",
    "OwnProposal",
    "OwnerChanged",
    "ProposalChanged",
    "ProposalNotFound",
    "StaleFacts",
    "Submission",
    "accept",
    "approve",
    "assign",
    "bind",
    "claim",
    "comment",
    "decline",
    "discard_orphans",
    "edit_comment",
    "forget_forms",
    "hand_over",
    "overtake",
    "propose",
    "reject",
    "release",
    "submit_once",
    "upload",
    "withdraw",
]
