"""Campaigns: cases meet targets, claims are judged, what breaks is made small."""

from conformance.campaign.campaign import Campaign
from conformance.campaign.plan import Outcome, Plan

__all__ = ["Campaign", "Outcome", "Plan"]
