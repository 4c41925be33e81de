"""The Netflix Prize in the forms in which it is found, and its simulated twin where it is not.

Nobody comes in and nothing is exported: `loaders` registers the data sets by their names. `locate`
finds the files, `ratings_files`, `titles` and `probe` read them, `assembly` makes a data set of
them; the room `twin` writes the simulation, and `calibration` says how close it comes.
"""
