"""Chains of llama.cpp's C samplers, in an order that is written down."""

from __future__ import annotations

from typing import Any

from localdistill.backends.llama_model import bindings
from localdistill.sampling import Sampling


def new_chain(sampling: Sampling, seed: int) -> Any:
    """A chain that draws from raw logits; the caller frees it with ``llama_sampler_free``.

    Samplers that would change nothing are left out: over a vocabulary of 150,000 they cost time.

    Args:
        sampling: the parameters and their order.
        seed: of its random stream, 0 .. 2**32 - 2 (2**32 - 1 would mean "random" to llama.cpp).
    """
    lib = bindings()
    chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
    if sampling.greedy:
        lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_greedy())
        return chain
    truncations = []
    if sampling.top_k > 0:
        truncations.append(lib.llama_sampler_init_top_k(sampling.top_k))
    if sampling.top_p < 1.0:
        truncations.append(lib.llama_sampler_init_top_p(sampling.top_p, 1))
    if sampling.min_p > 0.0:
        truncations.append(lib.llama_sampler_init_min_p(sampling.min_p, 1))
    temperature = []
    if sampling.temperature != 1.0:
        temperature.append(lib.llama_sampler_init_temp(sampling.temperature))
    in_order = temperature + truncations if sampling.order == "paper" else truncations + temperature
    for sampler in (*in_order, lib.llama_sampler_init_dist(seed)):
        lib.llama_sampler_chain_add(chain, sampler)
    return chain
