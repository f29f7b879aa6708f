"""What every service of ours stands on. It knows none of them."""
