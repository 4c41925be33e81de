"""Neighbours: users alike and items alike, by the cosine or as sets, SAR, and random walks on the
graph of likes.

Nobody comes in: adapters are found by themselves.
"""
