"""The dashboard in a real browser: what a visitor sees, does with a mouse or without, and may not do."""
