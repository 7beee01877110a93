"""The phases of table 3, in their order; each writes rows and says when it is done."""

import functools
import gc
import sys
import time
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import nn

from benchmarks.table3 import models
from benchmarks.table3.timing import Turns, agreement, clocked, taken_in_turns
from benchmarks.table3.ways import PLAIN, Setting, Way, Ways, kernels
from mm_model.errors import UserError
from mm_model.nn.offload import layers_of_blocks

_WARM = 3
_TURNS = {"full": 40, "small": 8}
_FEW_TURNS = {"full": 15, "small": 3}
_FORCED = 4
"""Steps on which two ways are compared, both from the same latents."""
EQUAL_COSINE, EQUAL_PSNR, NEAR_FLOOR, FLOOR_AT_MOST = 0.9999, 40.0, 3.0, 80.0
"""What counts as equal: dB, and how far below the noise floor; kernels that differ in no bit show
no floor, so that nothing above `FLOOR_AT_MOST` is asked for."""
_EXACT = "speed-up, plain eager base over ours exact"


def run(phase: str, setting: Setting) -> None:
    """Measure what is lacking of a phase, as far as its time goes."""
    if setting.rows.finished.get(phase):
        return
    done = _PHASES[phase](setting)
    setting.rows.finished[phase] = done
    setting.rows.save()
    print(f"{phase}: {'done' if done else 'to be continued'}", file=sys.stderr)


def _parameters(setting: Setting) -> bool:
    """On the meta device, as table 3 counts them: all that is needed for a clip."""
    sizes = setting.sizes
    ours, adapter = models.meta_networks(sizes)
    text, vae, identity = (
        make(sizes) for make in (models.meta_text, models.meta_vae, models.meta_identity)
    )
    nulls = sum(p.numel() for name, p in adapter.named_parameters() if name.startswith("null_"))
    base = sum(p.numel() for p in ours.base_parameters()) + models.count(text, vae)
    all_of_it = base + models.count(adapter, identity) - nulls
    _row(setting, "parameters", "base", base, "parameters")
    _row(setting, "parameters", "ours", all_of_it, "parameters")
    return True


def _machine(setting: Setting) -> bool:
    """What the machine gives: products of the model's shapes, kernels of attention, copies."""
    device, config = setting.device, setting.sizes.transformer
    heads, head = config["num_attention_heads"], config["attention_head_dim"]
    frames, height, width = setting.sizes.latents
    tokens = frames * height * width // 4 + config["max_text_seq_length"]
    wide = heads * head
    left = torch.randn(2 * tokens, wide, device=device, dtype=setting.dtype)
    right = torch.randn(wide, 4 * wide, device=device, dtype=setting.dtype)
    best = _best(lambda _: left @ right, device)
    rate = 2 * left.shape[0] * wide * 4 * wide / best / 1e9
    _row(setting, "machine", "product, a feed-forward's shape", rate, "TFLOP/s")
    copied = _best(lambda _: left.clone(), device)
    _row(setting, "machine", "copy, read and written", 2 * left.nbytes / copied / 1e6, "GB/s")
    from diffusers.models.attention_dispatch import AttentionBackendName, dispatch_attention_fn

    query = torch.randn(2, tokens, heads, head, device=device, dtype=setting.dtype)
    for name in kernels(setting):
        kernel = AttentionBackendName(name)
        attend = functools.partial(dispatch_attention_fn, query, query, query, backend=kernel)
        took = _best(functools.partial(_without_number, attend), device)
        _row(setting, "machine", f"attention, {name}", took, "ms")
    return True


def _without_number(work: Callable[[], torch.Tensor], _: int) -> torch.Tensor:
    return work()


def _best(work: Callable[[int], object], device: torch.device, repeats: int = 20) -> float:
    with torch.no_grad():
        for _ in range(_WARM):
            work(0)
        return min(clocked(work, 0, device) for _ in range(repeats))


def _memory(setting: Setting) -> bool:
    """The most that is held for two steps and a decoding by tiles, text encoder and all.

    With tables, what they replace leaves, and so does what looked at the photographs.
    """
    peaks = {}
    for name, is_ours, tables in (
        ("base", False, False),
        ("ours", True, False),
        ("ours with tables", True, True),
    ):
        _free(setting.device)
        peaks[name] = _peak(setting, is_ours=is_ours, tables=tables)
        _row(setting, "memory", f"peak, {name}", peaks[name], _UNITS[setting.device.type])
    ratio = peaks["ours with tables"] / peaks["base"]
    _row(setting, "memory", "peak, ours over base", peaks["ours"] / peaks["base"], "ratio")
    _row(setting, "memory", "peak, ours with tables over base", ratio, "ratio")
    return True


_UNITS = {"cuda": "B allocated", "cpu": "B of weights and tables (no GPU, no peak)"}


def _peak(setting: Setting, *, is_ours: bool, tables: bool) -> int:
    sizes, device, dtype = setting.sizes, setting.device, setting.dtype
    text = models.made(models.meta_text(sizes), device, dtype, 4)
    vae = models.made(models.meta_vae(sizes), device, dtype, 5)
    vae.enable_tiling()
    pair = setting.pair()
    seen: list[nn.Module] = [text, vae]
    if is_ours:
        identity = models.made(models.meta_identity(sizes), device, dtype, 6)
        seen += [identity, pair.ours, pair.adapter]
        del pair.base  # it would hold what leaves below
    else:
        pair.ours.detach_layers()
        pair.adapter.to_empty(device="meta")
        seen += [pair.base]
    table = pair.table() if tables else None
    if tables:
        identity.to("cpu")
        pair.ours.move_modulation("cpu")
        with layers_of_blocks(pair.adapter):
            pair.adapter.to("cpu")
    _free(device)
    for number in range(2):
        _ = pair.our_step(number, table) if is_ours else pair.base_step(number)
    with torch.no_grad():
        vae.decode(pair.latents[0].transpose(1, 2) / vae.config.scaling_factor)
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    own = {p.data_ptr(): p.nbytes for one in seen for p in one.parameters()}
    if tables:
        away = [p for m in pair.ours.transformer_blocks for p in _replaced(m)]
        away += [*identity.parameters()]
        own = {key: size for key, size in own.items() if key not in {p.data_ptr() for p in away}}
    return sum(own.values()) + (table.nbytes() if table is not None else 0)


def _replaced(block: nn.Module) -> list[nn.Parameter]:
    from mm_model.nn.magic_mirror.modulation import modulation_modules

    return [p for module in modulation_modules([block]) for p in module.parameters()]


def _free(device: torch.device) -> None:
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def _eager(setting: Setting) -> bool:
    """Ours over the base, both as diffusers runs them; the whole method, no table."""
    pair, turns = setting.pair(), _TURNS[setting.size]
    sides = {"base": pair.base_step, "ours": pair.our_step}
    found = taken_in_turns(sides, setting.device, warm=_WARM, turns=turns, ends=setting.ends)
    if found is None:
        return False
    for name in sides:
        _step_row(setting, "eager", name, found)
    _ratio_row(setting, "eager", "time, ours over base", found.ratio("ours", "base"))
    seen, _ = agreement([pair.our_step(0).cpu()], [pair.base_step(0).cpu()])
    _row(setting, "eager", "what the identity changes, cosine of ours and base", seen, "cosine")
    return True


def _exact(setting: Setting) -> bool:
    """Ways that change no more than rounding, each beside the plain eager base."""
    pair, device = setting.pair(), setting.device
    ways, there = Ways(pair, setting.compiler), kernels(setting)
    plain = ways.step(Way())
    wanted = [plain(number).cpu() for number in range(_FORCED)]
    floor = _floor(setting, ways, there, wanted)
    for way in _asked(setting, there):
        name = f"base eager over ours, {way.name}"
        if setting.rows.has("exact", name):
            continue
        if setting.is_late:
            return False
        step = ways.step(way)
        made = [step(number).cpu() for number in range(_FORCED)]
        cosine, noise = agreement(made, wanted)
        equal = cosine >= EQUAL_COSINE and noise >= max(EQUAL_PSNR, floor - NEAR_FLOOR)
        sides = {"base": pair.base_step, "ours": step}
        turns = _FEW_TURNS[setting.size]
        found = taken_in_turns(sides, device, warm=_WARM, turns=turns, ends=setting.ends)
        if found is None:
            return False
        more = {"cosine": cosine, "psnr": noise, "equal": equal}
        more |= {"first_ms": found.first["ours"], "ours_ms": found.median("ours")}
        _ratio_row(setting, "exact", name, found.ratio("base", "ours"), **more)
    return _best_exact(setting)


def _asked(setting: Setting, there: list[str]) -> Iterator[Way]:
    """Each kernel eagerly; then compiled and from tables with the plain one and the fastest."""
    yield from (Way(kernel) for kernel in there)
    yield from (Way(tables=True), Way(compiled=True))
    found = {row["name"]: row["value"] for row in setting.rows.rows if row["phase"] == "exact"}
    fastest = max(there, key=lambda kernel: found[f"base eager over ours, {Way(kernel).name}"])
    yield from (Way(one, compiled=True, tables=True) for one in dict.fromkeys([PLAIN, fastest]))


def _floor(setting: Setting, ways: Ways, there: list[str], wanted: list[torch.Tensor]) -> float:
    """How far two kernels of the plain way lie apart; what is equal to rounding is no farther."""
    others = [kernel for kernel in there if kernel != PLAIN]
    if not others:
        return EQUAL_PSNR
    step = ways.step(Way(others[0]))
    _, noise = agreement([step(number).cpu() for number in range(_FORCED)], wanted)
    _row(setting, "exact", f"noise floor, {PLAIN} against {others[0]}", noise, "dB")
    return min(noise, FLOOR_AT_MOST)


def _best_exact(setting: Setting) -> bool:
    equal = [row for row in setting.rows.rows if row["phase"] == "exact" and row.get("equal")]
    if not equal:
        raise UserError(
            "No way computes what plain eager does: see cosine and psnr of the phase exact in "
            f"{setting.rows.path}, and report them."
        )
    best = max(equal, key=lambda row: row["value"])
    way = best["name"].partition(", ")[2]
    ends = {"low": best["low"], "high": best["high"]}
    _row(setting, "exact", _EXACT, best["value"], "ratio", way=way, **ends)
    return True


def _cached(setting: Setting) -> bool:
    """FirstBlockCache where half of the steps find what they ask for: speed alone."""
    from diffusers import FirstBlockCacheConfig

    name = "speed-up, ours plain over ours with FirstBlockCache, half of the steps found"
    pair = setting.pair()
    twice = [number // 2 * 2 for number in range(models.STEPS)]
    pair.latents = [pair.latents[number] for number in twice]
    pair.timesteps = pair.timesteps[twice]
    steps = 2 * _FEW_TURNS[setting.size]
    spent: dict[bool, list[float]] = {False: [], True: []}
    for cached in (False, True, True, False):
        if cached:
            pair.ours.enable_cache(FirstBlockCacheConfig(threshold=0.05))
        ran: list[int] = []
        last = pair.ours.transformer_blocks[-1].ff
        hook = last.register_forward_pre_hook(lambda *_, ran=ran: ran.append(1))
        with pair.ours.cache_context("cond_uncond"):
            _ = [pair.our_step(number) for number in (2, 3)]
            ran.clear()
            spent[cached] += [clocked(pair.our_step, n, setting.device) for n in range(steps)]
        hook.remove()
        if cached:
            pair.ours.disable_cache()
            found = 1 - len(ran) / steps
    plain, fast = (sum(spent[key]) for key in (False, True))
    _row(setting, "cached", name, plain / fast, "ratio", found=found, steps=steps, **_SPEED)
    return True


_SPEED = {"note": "speed only: random weights say nothing of what a cache costs in quality"}


def _whole(setting: Setting) -> bool:
    """The parts around the steps, and fifty true steps of the best exact way."""
    sizes, device, dtype = setting.sizes, setting.device, setting.dtype
    if not setting.rows.has("whole", "text, two prompts"):
        text = models.made(models.meta_text(sizes), device, dtype, 4)
        length = sizes.transformer["max_text_seq_length"]
        ids = torch.randint(0, sizes.text["vocab_size"], (2, length), device=device)
        _row(setting, "whole", "text, two prompts", _best(lambda _: text(ids)[0], device, 3), "ms")
        del text
        _free(device)
    pair = setting.pair()
    _row(setting, "whole", "tables of 50 steps", _best(lambda _: pair.table(), device, 3), "ms")
    seen = _best(lambda _: pair.identity(), device, 3)
    _row(setting, "whole", "face perceiver and CAN's code", seen, "ms")
    for tiled in (True, False):
        if setting.is_late:
            return False
        _decoding(setting, pair, tiled)
    if not setting.rows.has("whole", "fifty steps, ours exact"):
        if setting.is_late or not setting.rows.has("exact", _EXACT):
            return False
        best = next(r for r in setting.rows.rows if r["name"] == _EXACT)["way"].split(" + ")
        kernel = next(k for k in kernels(setting) if k.removeprefix("_") == best[0])
        step = Ways(pair, setting.compiler).step(
            Way(kernel, compiled="compiled" in best, tables="tables" in best)
        )
        for number in range(_WARM):
            step(number)
        began = time.perf_counter()
        for number in range(models.STEPS):
            clocked(step, number, device)
        took = 1e3 * (time.perf_counter() - began)
        _row(setting, "whole", "fifty steps, ours exact", took, "ms")
    _clips(setting)
    return True


def _decoding(setting: Setting, pair: models.Pair, tiled: bool) -> None:
    vae = models.made(models.meta_vae(setting.sizes), setting.device, setting.dtype, 5)
    if tiled:
        vae.enable_tiling()
    latents = pair.latents[0].transpose(1, 2) / vae.config.scaling_factor
    name = f"decoding of a clip, {'by tiles' if tiled else 'whole'}"
    _row(setting, "whole", name, _best(lambda _: vae.decode(latents), setting.device, 3), "ms")
    _free(setting.device)


def _clips(setting: Setting) -> None:
    """Seconds a clip, put together from medians as table 3 has them."""
    rows = setting.rows
    around = rows.value("whole", "text, two prompts")
    around += rows.value("whole", "decoding of a clip, by tiles")
    face = rows.value("whole", "face perceiver and CAN's code")
    base = around + models.STEPS * rows.value("eager", "step, base")
    ours = around + face + models.STEPS * rows.value("eager", "step, ours")
    exact = around + face + rows.value("whole", "tables of 50 steps")
    exact += rows.value("whole", "fifty steps, ours exact")
    for name, took in (("base, eager", base), ("ours, eager", ours), ("ours, exact", exact)):
        _row(setting, "whole", f"a clip, {name}", took / 1e3, "s", put="together from rows above")


def _row(setting: Setting, phase: str, name: str, value: float, unit: str, **more: object) -> None:
    if not setting.rows.has(phase, name):
        setting.rows.add(phase, name, value, unit, **more)
        print(f"  {phase}: {name}: {value:,.4g} {unit}", file=sys.stderr)


def _step_row(setting: Setting, phase: str, side: str, found: Turns) -> None:
    low, high = found.spread(side)
    more = {"quarter": low, "three_quarters": high, "first_ms": found.first[side]}
    more["turns"] = len(found.milliseconds[side])
    _row(setting, phase, f"step, {side}", found.median(side), "ms", **more)


def _ratio_row(
    setting: Setting, phase: str, name: str, ratio: tuple[float, float, float], **more: object
) -> None:
    value, low, high = ratio
    _row(setting, phase, name, value, "ratio", low=low, high=high, **more)


_PHASES: Mapping[str, Callable[[Setting], bool]] = {
    "parameters": _parameters,
    "machine": _machine,
    "memory": _memory,
    "eager": _eager,
    "exact": _exact,
    "cached": _cached,
    "whole": _whole,
}
"""By name, in the order in which they run; each returns whether all its rows are there."""
