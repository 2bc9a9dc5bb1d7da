"""What could not be processed: looked at, tried again, or done with."""
