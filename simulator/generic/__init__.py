"""Types of objects that need no code of their own: made, listed and changed by their shape."""
