"""A video of somebody from their photographs and a sentence, by what serving serves.

`command` is the command line, `asked` what a person asks for, `model` which model answers,
`sidecar` the record beside a clip, `work` the way from one to the other. Nothing here knows how a
clip is made: that is `mm_model.serving`, which serves with the same parts.
"""
