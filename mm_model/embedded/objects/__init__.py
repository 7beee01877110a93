"""Two drawn objects beside the drawn people: a cup and a toy animal, with true masks.

No shipped weight ever saw one.
"""
