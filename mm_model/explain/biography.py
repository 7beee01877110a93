"""Where a thing comes from and where it went, under headings of their own."""

from dataclasses import dataclass, field

from mm_model.store.atomic import Document


@dataclass
class Biography:
    """What is told of one thing, in the order in which it happened. `facts` is the same as data."""

    title: str
    parts: list[tuple[str, list[str]]] = field(default_factory=list)
    facts: Document = field(default_factory=dict)

    def tell(self, heading: str, *lines: str, **facts: object) -> None:
        """Add lines under a heading, and what they say as data."""
        self.parts.append((heading, [line for line in lines if line]))
        if facts:
            self.facts[heading] = facts

    def text(self) -> str:
        """All of it for people."""
        lines = [self.title]
        for heading, told in self.parts:
            lines += [f"{heading}:", *(f"  {line}" for line in told or ["nothing is known"])]
        return "\n".join(lines)
