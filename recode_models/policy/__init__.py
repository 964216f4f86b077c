"""CG-GRPO: a policy is rewarded for how it reasons, and only when its code is right."""
