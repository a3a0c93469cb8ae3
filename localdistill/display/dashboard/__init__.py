"""A run on one calm screen.

display   takes events and paints the screen four times a second at most
  frame     lays sections out in the terminal's size
    sections, work, scores ...   a few lines each, from the state
      drawing   bars, curves, intervals, in block characters or plain ASCII
  screen    writes what has changed since the last time, and nothing else
"""
