"""Graphs of what was measured about a hold or incident: lines, a threshold, and what happened when. Pure.

series   what is drawn                 layout   where everything of a picture stands: worked out once
svg      the picture for a browser     png      the same for a chat or a mail; it alone draws with Pillow

What is drawn is a picture and nothing else: no script, no style sheet, no address, every text escaped.
"""

from incidentd.graphs.layout import MOST_LINES, Picture, lay_out
from incidentd.graphs.series import Graph, Line, Mark, chosen, last
from incidentd.graphs.svg import svg

__all__ = ["MOST_LINES", "Graph", "Line", "Mark", "Picture", "chosen", "last", "lay_out", "svg"]
