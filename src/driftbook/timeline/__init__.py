"""Walks the days of the stream in order and decides each as if it had been run that day.

One build may catch up over many days. The days that earlier builds judged are taken as given from the
journal; each later day is judged with the batches that ended by then and the targets known by then. So
one build over 45 days and 45 daily builds tell the same story. Models, predictions and decisions are
values of their inputs: repeating a build finds the same ones and changes nothing.
"""
