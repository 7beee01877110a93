"""The whole graph against what is written down of it."""

from tests.graph import snapshot


def test_the_graph_is_the_one_that_is_written_down() -> None:
    assert snapshot.FILE.read_text() == snapshot.written(), (
        "the graph changed: if that was meant, python -m tests.graph.snapshot writes it anew"
    )
