"""What a rewritten reasoning must be to enter a pair: pure functions, linear in the text, each drop with its reason."""
