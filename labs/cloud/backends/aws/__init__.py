"""A real AWS account as the backend: chosen in so many words, everything tagged, nothing else let through."""
