"""The Netflix Prize in the forms in which it is found, and its simulated twin where it is not.

Nobody comes in: the loaders register themselves, and `recbench.datasets.load` finds them. The room
`twin` makes the simulation.
"""
