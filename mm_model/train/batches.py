"""What one step sees: a pure function of (training set, settings, seed, step).

Every draw of a step comes from one generator keyed by seed and step, so a resumed run
continues with the same batches, noise, timesteps and dropped conditions.
"""

import hashlib
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from mm_model.diffusion.objective import draw_drops, draw_face_samples
from mm_model.diffusion.schedule import NoiseSchedule, sample_noise
from mm_model.generation.backbone import Backbone
from mm_model.nn.identity.prompt import encode_prompts, encode_text
from mm_model.nn.injection.condition import IdentityFeatures
from mm_model.settings import TrainSettings
from mm_model.train.dataset import TrainingSet

MAX_REFERENCES = 2


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Inputs and targets of one step (B rows)."""

    clean: Tensor
    noise: Tensor
    timestep: Tensor
    text_embeds: Tensor
    text_mask: Tensor
    features: IdentityFeatures
    drop_identity: Tensor
    face_loss: Tensor
    masks: Tensor
    rows: Tensor
    reference_embeddings: Tensor

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, rows: slice) -> "Batch":
        """Some rows of the batch, as a batch."""
        own = {f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name != "features"}
        said = self.features
        return Batch(
            **own,
            features=IdentityFeatures(said.x_id[rows], said.clip_tokens[rows], said.mask[rows]),
        )


def generator_of(seed: int, step: int, purpose: str) -> torch.Generator:
    """A CPU generator for one purpose at one step."""
    digest = hashlib.sha256(f"{seed}/{step}/{purpose}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)


class BatchMaker:
    """Draws batches; remembers T5 outputs by (caption, number of references)."""

    def __init__(
        self,
        data: TrainingSet,
        backbone: Backbone,
        settings: TrainSettings,
        seed: int,
        schedule: NoiseSchedule,
    ) -> None:
        self.data = data
        self.backbone = backbone
        self.settings = settings
        self.seed = seed
        self.schedule = schedule
        self._texts: dict[tuple[str, int], tuple[Tensor, Tensor]] = {}

    def rows(self, step: int) -> Tensor:
        """Target rows of a step: seeded permutations, so every target comes equally often."""
        count, size = len(self.data), self.settings.batch_size
        first = (step - 1) * size
        orders: dict[int, Tensor] = {}
        rows = []
        for position in range(first, first + size):
            epoch, place = divmod(position, count)
            if epoch not in orders:
                orders[epoch] = torch.randperm(
                    count, generator=generator_of(self.seed, epoch, "order")
                )
            rows.append(int(orders[epoch][place]))
        return torch.tensor(rows)

    def batch(self, step: int) -> Batch:
        """The batch of `step` (counted from 1)."""
        rules, data = self.settings, self.data
        generator = generator_of(self.seed, step, "batch")
        rows = self.rows(step)
        clean = data.tensors["latents"][rows]
        noise = sample_noise(tuple(clean.shape), generator)
        timestep = self.schedule.sample_timesteps(len(rows), generator, rules.noisy_share)
        drops = draw_drops(
            len(rows),
            generator,
            text=rules.drop_text,
            identity=rules.drop_face,
            both=rules.drop_both,
        )
        face_loss = draw_face_samples(len(rows), generator, rules.face_loss_probability)
        chosen = self._references(rows, generator)
        embeds, mask = self._text(rows, drops.text, [len(c) for c in chosen])
        features = self._features(chosen)
        raw = data.tensors["reference_embeddings"]
        means = torch.stack([raw[list(c)].mean(dim=0) for c in chosen])
        return Batch(
            clean=clean,
            noise=noise,
            timestep=timestep,
            text_embeds=embeds,
            text_mask=mask,
            features=features,
            drop_identity=drops.identity,
            face_loss=face_loss,
            masks=data.tensors["masks"][rows],
            rows=rows,
            reference_embeddings=means,
        )

    def _references(self, rows: Tensor, generator: torch.Generator) -> list[tuple[int, ...]]:
        """One or two references a row, without repetition."""
        chosen = []
        for row in rows.tolist():
            known = self.data.targets[row].references
            order = torch.randperm(len(known), generator=generator).tolist()
            number = 1 + int(torch.randint(MAX_REFERENCES, (1,), generator=generator))
            chosen.append(tuple(known[i] for i in order[:number]))
        return chosen

    def _features(self, chosen: list[tuple[int, ...]]) -> IdentityFeatures:
        tensors = self.data.tensors
        mask = torch.tensor([[k < len(c) for k in range(MAX_REFERENCES)] for c in chosen])
        padded = torch.tensor([(c + c[:1] * MAX_REFERENCES)[:MAX_REFERENCES] for c in chosen])
        return IdentityFeatures(tensors["x_id"][padded], tensors["clip_tokens"][padded], mask)

    def _text(self, rows: Tensor, dropped: Tensor, counts: list[int]) -> tuple[Tensor, Tensor]:
        pairs = [
            self._encoded("" if drop else self.data.targets[row].caption, 0 if drop else count)
            for row, drop, count in zip(rows.tolist(), dropped.tolist(), counts, strict=True)
        ]
        return torch.stack([p[0] for p in pairs]), torch.stack([p[1] for p in pairs])

    def _encoded(self, caption: str, references: int) -> tuple[Tensor, Tensor]:
        key = (caption, references)
        if key not in self._texts:
            backbone = self.backbone
            ids, mask = encode_prompts(
                backbone.tokenizer, [caption], [references], backbone.text_length
            )
            self._texts[key] = (encode_text(backbone.text_encoder, ids)[0].float().cpu(), mask[0])
        return self._texts[key]
