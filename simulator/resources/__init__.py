"""Each of Stripe's object types as data and small functions."""
