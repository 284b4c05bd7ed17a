"""Makes the day tables (``timeline.day_tables``) from what a build wrote, one day of rows after another.

Only one day's rows are held at a time, so that a year of hourly batches takes no more memory than a day of it.
"""
