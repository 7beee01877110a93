"""What kinds of subjects there are; light, so that a command line may name them."""

KINDS = ("person", "animal", "object")
