"""What a trial is given stays small, and says the whole configuration."""

from harness.config.space.compose import compose, load_preset
from harness.sweep.cluster.packing import PLAIN, Packing


def test_a_packed_configuration_is_short_and_comes_back_whole() -> None:
    config = compose(load_preset("complete"), {"optimiser.lr": 0.00123}).resolved(gpu=False)
    packing = Packing.against_defaults()
    packed = packing.pack(config)
    assert len(packed) < 600 < len(PLAIN.pack(config))
    assert packing.unpack(packed) == PLAIN.unpack(PLAIN.pack(config)) == config.canonical()
