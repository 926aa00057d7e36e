"""Restart and continuation of the random walk are exchanged: walks over the prototype graph restart with probability
0.85 where 0.15 is configured. Prototypes hardly see their neighbours, and an ablation of the graph finds that it does
not matter, of a graph that was all but switched off."""

import models.environment.graph as graph

PRESET = "rp13"

personalised_pagerank = graph.personalised_pagerank


def broken(a, restart):
    return personalised_pagerank(a, 1 - restart)


graph.personalised_pagerank = broken
