"""The examples do what they say, in fewer steps."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from click.testing import CliRunner

from codegen import torch_ops
from examples import decoders
from examples import super_resolution as example
from examples.networks import NETWORKS, dcgan, inputs
from tests.codegen.libraries import needs_compiler

SHAPES = {
    "DCGAN generator": (1, 3, 64, 64),
    "U-Net decoder": (1, 2, 32, 32),
    "VAE decoder": (1, 3, 32, 32),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_have_the_same_parameters_with_our_layers(name: str) -> None:
    theirs, ours = NETWORKS[name](), NETWORKS[name](torch_ops)
    ours.load_state_dict(theirs.state_dict())
    with torch.no_grad():
        assert theirs.eval()(*inputs(name, 1, 4)).shape == SHAPES[name]


@needs_compiler
@pytest.mark.parametrize("upsampler", example.upsamplers(), ids=lambda each: each.name)
def test_training_gives_what_torch_gives(
    upsampler: example.Upsampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(example, "STEPS", 3)
    _, ours, share = example.compare(upsampler)
    assert share <= 1
    assert len(ours.losses) == 3
    assert ours.losses[-1] < ours.losses[0]


@needs_compiler
@pytest.mark.parametrize("algorithm", ["exact", "auto"])
def test_a_decoder_is_converted(algorithm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoders, "NETWORKS", {"DCGAN generator": partial(dcgan, width=4)})
    said = CliRunner().invoke(decoders.main, [algorithm], catch_exceptions=False).output
    assert said.startswith(f"DCGAN generator, batch 1, {algorithm}")
    assert "of 5 layers swapped" in said
    assert said.count("ConvTranspose2d") >= 5
    assert said.endswith(" times\n\n")
