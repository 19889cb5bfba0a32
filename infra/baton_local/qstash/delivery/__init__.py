"""Sending attempts to destinations over HTTP."""

from baton_local.qstash.delivery.http_delivery import HttpDelivery

__all__ = ["HttpDelivery"]
