"""The stage `pairs`: which reference stands for which target, and synthesis of references."""
