"""Names of methods and kinds of subjects; light, so that a command line may name them."""

KINDS = ("person", "animal", "object")

MAGIC_MIRROR, SUBJECT, CONSISID = METHODS = ("magic-mirror", "vcd", "consisid")
"""What makes a clip: an adapter that sees photographs, tokens that were learned of a subject, or
ConsisID, which sees one photograph.
"""
