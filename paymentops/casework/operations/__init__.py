"""Writes of the room ``casework``: proposals and their second person, comments, files, owners, forms."""

from paymentops.casework.operations.deciding import (
    Decision,
    OwnProposal,
    StaleFacts,
    approve,
    reject,
    withdraw,
)
from paymentops.casework.operations.moving import NotAllowed, ProposalChanged, ProposalNotFound
from paymentops.casework.operations.proposing import AlreadyProposed, Draft, propose

__all__ = [
    "AlreadyProposed",
    "Decision",
    "Draft",
    "NotAllowed",
    "OwnProposal",
    "ProposalChanged",
    "ProposalNotFound",
    "StaleFacts",
    "approve",
    "propose",
    "reject",
    "withdraw",
]
