"""Stripe -> Kafka: the webhook that fills the inbox, and the relay that publishes changes in order."""
