"""Sending attempts to destinations over HTTP."""

from infra.local_qstash.delivery.http_delivery import HttpDelivery

__all__ = ["HttpDelivery"]
