"""What every process needs: clock, retry, stop, health, metrics, logs and settings."""
