"""A simulated Stripe that the unmodified `stripe` package talks to."""
