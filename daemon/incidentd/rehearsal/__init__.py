"""Rehearsals: the very engine of the daemon, in time that somebody moves and without a way out of the process.

`world` is the engine with doors that only keep what goes out (`doors`), on a store in memory or on any other one.
`telling` tells it a story of the operator's files and holds what becomes of it against what the story expects;
`replay` gives it what Alertmanager once sent, and `difference` says what other rules would have made of it.
"""
