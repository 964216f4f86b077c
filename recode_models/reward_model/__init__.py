"""Contrastive reasoning-process reward learning: a scalar head trained on preference pairs of reasonings."""
