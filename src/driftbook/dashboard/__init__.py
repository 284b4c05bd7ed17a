"""The stakeholders' dashboard: what was known of a use case on a day, as pages a person understands in ten seconds.

``known`` reads what builds wrote, ``state`` holds what a visitor chose, ``page`` says what a page is, ``pages`` are
the pages, pure functions to HTML, ``views`` shows them as widgets, and ``server`` serves them with Voila. Nothing here
computes drift or loads a model, so that a visitor's kernel stays small and a page is there at once.
"""
