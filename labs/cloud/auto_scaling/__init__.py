"""EC2 Auto Scaling: keeps groups of EC2 instances at the size that is wanted of them."""
