"""Where data comes from: simulated, files or SQL, cut into batches, with what was known as of a day."""
