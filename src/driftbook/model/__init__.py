"""Models: from raw rows to calibrated probabilities, with honest figures about how good they are."""
