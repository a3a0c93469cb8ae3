"""Whether a model still answers plain questions as before: the guard against forgetting."""
