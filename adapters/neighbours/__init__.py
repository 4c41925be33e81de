"""Neighbours: users or items alike by cosine, co-occurrence or walks over the graph of ratings.

Nobody comes in: adapters are found by themselves.
"""
