"""The contract between producer and sink: object types, records, topics, the inbox envelope."""
