"""Training on TRL: reward models by CRPL."""
