"""A local Kafka, schema registry and Postgres, and the demo that runs on them."""
