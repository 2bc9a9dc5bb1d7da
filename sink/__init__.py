"""Kafka -> Postgres: the newest record of each key becomes a row."""
