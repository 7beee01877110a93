"""Captions that no table, prompt or page should have to hold; their picture stays."""

from mm_model.records import CaptionProblem
from tests.bad_inputs.drawn import photograph, saved
from tests.bad_inputs.pictures import KEPT
from tests.bad_inputs.port import Made, kind

GOOD = ("sidecar", None)


def _instead(problem: CaptionProblem) -> tuple[str, str]:
    return "template", str(problem)


def _with(number: int, seed: int, caption: bytes, told: tuple[str, str | None]) -> list[Made]:
    picture = saved(photograph(seed), "JPEG")
    return [
        Made(b"%d.jpg" % number, picture, caption=told),
        Made(b"%d.txt" % number, caption, rows={}),
    ]


@kind(
    "caption that is no text",
    "NUL, a picture, an encoding that is not said",
    KEPT,
    6,
    note="the profile's template stands in",
)
def _(number: int, seed: int) -> list[Made]:
    texts = (
        b"a man\0waves",
        saved(photograph(seed), "PNG"),
        b"a man in a caf\xe9",
        b"\xff\xfea",
        b"\xef\xbb\xbf\xff",
        b"\0",
    )
    return _with(number, seed, texts[number], _instead(CaptionProblem.NOT_TEXT))


@kind(
    "caption that is empty",
    "no byte, spaces, nothing to be seen",
    KEPT,
    4,
    note="the profile's template stands in",
)
def _(number: int, seed: int) -> list[Made]:
    texts = (b"", b" \n\t\r\n", "\u200b\u202e\u00ad".encode(), b"\x1b\x07\x01")
    return _with(number, seed, texts[number], _instead(CaptionProblem.EMPTY))


@kind("caption of megabytes", "more than 1 MiB", KEPT, 2, note="the profile's template stands in")
def _(number: int, seed: int) -> list[Made]:
    text = b"a man waves " * (90_000 + number)
    return _with(number, seed, text, _instead(CaptionProblem.TOO_LARGE))


@kind(
    "caption of somebody nobody can place",
    "no subject, or too late for the encoder",
    KEPT,
    4,
    note="the profile's template stands in",
)
def _(number: int, seed: int) -> list[Made]:
    late = (
        "in the light of a lamp that stands upon the table beside the window " * 3 + "a man waves"
    )
    texts = (b"a red car on a road", b"12345", late.encode(), "\u4eba".encode() * 9)
    wrong = (CaptionProblem.NO_SUBJECT,) * 2 + (
        CaptionProblem.LATE_SUBJECT,
        CaptionProblem.NO_SUBJECT,
    )
    return _with(number, seed, texts[number], _instead(wrong[number]))


@kind("caption with tricks", "SQL, HTML, formulas, escapes, UTF-16", KEPT, 8)
def _(number: int, seed: int) -> list[Made]:
    texts = (
        b"a man waves'); drop table media; --",
        b"a man <script>alert(1)</script> waves",
        b'a man waves =1+1","x',
        b"\x1b[31ma man waves\x07",
        "a man waves".encode("utf-16"),
        "\ufeffa man waves".encode(),
        b"a man\r\nwaves\n\n\nin the sun",
        "a man waves \U0001f642 \u202eevaw".encode(),
    )
    return _with(number, seed, texts[number], GOOD)


@kind("more captions than pictures", "two for one, and one for none", KEPT, 2)
def _(number: int, seed: int) -> list[Made]:
    first = _with(number, seed, b"a man waves", GOOD)
    if number == 0:
        return [*first, Made(b"0.jpg.txt", b"a woman nods", rows={})]
    return [*first, Made(b"stray.txt", b"nobody's words", rows={})]


@kind(
    "caption that is a link out",
    "to a file of the system",
    KEPT,
    1,
    note="the profile's template stands in; the link is not followed",
)
def _(number: int, seed: int) -> list[Made]:
    picture, _ = _with(number, seed, b"", _instead(CaptionProblem.UNREADABLE))
    return [picture, Made(b"0.txt", lambda path: path.symlink_to("/etc/passwd"), rows={})]


@kind("settings beside the pictures", "YAML that loads objects, JSON without end", "no row", 3)
def _(number: int, seed: int) -> Made:
    name = (b"bad.yaml", b"bad.json", b"bad.yml")[number]
    content = (b"!!python/object/apply:os.system ['touch /tmp/x']", b"[" * 50_000, b"&a [*a, *a]")
    return Made(name, content[number], rows={})
