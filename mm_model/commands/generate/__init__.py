"""A video of somebody from their photographs, or of a learned subject, and a sentence.

`command` is the command line, `order` what its options ask for, `batch` many orders from the `rows`
of a file, `held` what they share. `asked` is what a person asks for, `model` which model answers,
`sidecar` the record beside a clip, `work` the way from one to the other for photographs, `subject`
for a learned subject, `ending` what both end with, `repeat` a recorded clip once more. Nothing here
knows how a clip is made: that is `mm_model.serving`, which serves with the same parts, and
`mm_model.vcd`.
"""
