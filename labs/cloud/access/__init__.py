"""IAM at the door: who sends a request, what it asks for, and whether that role or user may."""
