"""Small vision-language models of three families, with random weights, saved as published ones are.

LLaVA (CLIP and Llama, a chat template), Idefics3 (SigLIP and Llama, pictures in tiles, a chat
template of another form) and PaliGemma (SigLIP and Gemma, no template). Tokenizers are built here,
so that nothing is fetched. What the models say are words in no order.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

SPECIAL = ("<unk>", "<s>", "</s>", "<pad>")
PEOPLE = ("a", "man", "woman", "boy", "girl", "person", "smiles", "waves", "nods", "turns", "walks")
NOBODY = ("a", "tree", "hill", "road", "cloud", "river", "stone", "falls", "stands", "grows")
PROMPT = ("Describe", "this", "picture", "USER", "ASSISTANT", "these", "frames", ":", ".")
_TEXT = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 3,
}
_VISION = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}
_CHAT = (
    "{% for m in messages %}{{ m['role'].upper() }}: {% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<image>{% else %} {{ c['text'] }}{% endif %}{% endfor %}"
    "{% endfor %}{% if add_generation_prompt %} ASSISTANT:{% endif %}"
)


def _tokenizer(special: Sequence[str], words: Sequence[str]) -> Any:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import PreTrainedTokenizerFast

    known = dict.fromkeys([*SPECIAL, *special, *PROMPT, *words])
    inner = Tokenizer(WordLevel({word: at for at, word in enumerate(known)}, unk_token="<unk>"))
    inner.pre_tokenizer = Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        additional_special_tokens=list(special),
    )


def _saved(folder: Path, model: Any, processor: Any, words: Sequence[str]) -> Path:
    """Random weights large enough that pictures matter; only `words` are ever said."""
    said = [processor.tokenizer.convert_tokens_to_ids(word) for word in words]
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim > 1:
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.35)
            assert torch.isfinite(weight).all(), name
    model.generation_config.suppress_tokens = [
        token for token in range(len(processor.tokenizer)) if token not in said
    ]
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def llava(folder: Path, words: Sequence[str] = PEOPLE) -> Path:
    """LLaVA's layout."""
    import transformers
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    tokenizer = _tokenizer(["<image>"], words)
    processor = transformers.LlavaProcessor(
        CLIPImageProcessorPil(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}),
        tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=_CHAT,
    )
    config = transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(**_VISION, projection_dim=32),
        text_config=transformers.LlamaConfig(vocab_size=len(tokenizer), **_TEXT),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=4,
    )
    model = transformers.LlavaForConditionalGeneration(config)
    return _saved(folder, model, processor, words)


def idefics3(folder: Path, words: Sequence[str] = PEOPLE) -> Path:
    """Idefics3's layout, SmolVLM's too; a picture is seen whole and in tiles."""
    import transformers
    from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

    tiles = [f"<row_{row}_col_{column}>" for row in (1, 2, 3, 4) for column in (1, 2, 3, 4)]
    own = ["<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>", *tiles]
    tokenizer = _tokenizer(own, words)
    processor = transformers.Idefics3Processor(
        Idefics3ImageProcessorPil(
            size={"longest_edge": 56}, max_image_size={"longest_edge": 28}, do_image_splitting=True
        ),
        tokenizer,
        image_seq_len=1,
        chat_template=_CHAT,
    )
    config = transformers.Idefics3Config(
        vision_config=_VISION,
        text_config=transformers.LlamaConfig(vocab_size=len(tokenizer), **_TEXT).to_dict(),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=3,
    )
    model = transformers.Idefics3ForConditionalGeneration(config)
    return _saved(folder, model, processor, words)


def paligemma(folder: Path, words: Sequence[str] = PEOPLE) -> Path:
    """PaliGemma's layout; its processor puts the pictures in front of the words itself."""
    import transformers
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    pictures = SiglipImageProcessorPil(size={"height": 28, "width": 28})
    pictures.image_seq_length = 4
    processor = transformers.PaliGemmaProcessor(pictures, _tokenizer([], words))
    number = len(processor.tokenizer)
    text = transformers.GemmaConfig(vocab_size=number, head_dim=16, **_TEXT)
    vision = transformers.SiglipVisionConfig(**_VISION, vision_use_head=False)
    config = transformers.PaliGemmaConfig(
        vision_config=vision.to_dict(),
        text_config=text.to_dict(),
        image_token_index=processor.tokenizer.convert_tokens_to_ids("<image>"),
        projection_dim=32,
        hidden_size=32,
        **{name: _TEXT[name] for name in ("bos_token_id", "eos_token_id", "pad_token_id")},
    )
    model = transformers.PaliGemmaForConditionalGeneration(config)
    return _saved(folder, model, processor, words)


FAMILIES: dict[str, Callable[..., Path]] = {
    "llava": llava,
    "idefics3": idefics3,
    "paligemma": paligemma,
}
