"""Texts of sweeps that are as small as they can be."""

SETTINGS = """
set:
  audit: "off"
  model.encoder: cnn
  model.embedding: 4
  model.width: 8
  model.kernel: 5
  model.enhancer_bp: 80
  model.promoter_bp: 80
  model.self_attention_layers: 0
  optimiser.steps_per_epoch: 1
  support.size: 4
  support.draws: 1
  episode.query: 8
  episode.per_step: 2
"""
"""An epoch of it takes a tenth of a second."""
NEVER = """
name: never
base: minimal
data: {synthetic: {cell_lines: 5, pairs_per_cell: 60, enhancer_bp: 80, promoter_bp: 80, chromosomes: 4}}
trial: {epochs: 1, seeds: 1}
design: grid
space:
  energy.form: {grid: [linear, gated]}
set:
  model.enhancer_bp: 80
  model.promoter_bp: 80
  support.size: 4
  episode.query: 8
"""
"""One that is refused before it runs."""
