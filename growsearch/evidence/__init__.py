"""What the control arms say: paired comparisons and their statistics."""
