"""From a folder of weights, or of a run, to vectors and scores; how runs are made is elsewhere."""
