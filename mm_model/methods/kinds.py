"""Names of methods and kinds of subjects; light, so that a command line may name them."""

KINDS = ("person", "animal", "object")

MAGIC_MIRROR, SUBJECT = METHODS = ("magic-mirror", "vcd")
"""What makes a clip: an adapter that sees photographs, or tokens that were learned of a subject."""
