"""Stripe -> Kafka: the webhook fills the inbox, the relay publishes changes in order."""
