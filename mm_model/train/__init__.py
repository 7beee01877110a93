"""The stages `pretrain` and `finetune`: their data, the loop, the losses, resumable state."""
