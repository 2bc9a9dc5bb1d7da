"""A local Kafka, schema registry and Postgres, and what runs on them."""
