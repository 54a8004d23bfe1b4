"""Who someone is and what they may do; knows nothing of HTTP."""
