#!/usr/bin/env python3
"""Loads a transformer that groklab exported into a PyTorch module and compares its logits with groklab's own.

    groklab export RUN -o weights.safetensors
    groklab export RUN --outputs -o outputs.npy
    tests/peers/logits_torch.py weights.safetensors outputs.npy

Prints the largest difference over the largest logit; exit status 1 if that is over 1e-5, 77 without PyTorch.
"""
import json
import struct
import sys

try:
    import numpy as np
    import torch
    from torch import nn
except ImportError as missing:
    print(missing)
    sys.exit(77)


def load(path):
    """safetensors.torch.load_file without the package: 8 bytes of length, a JSON header, the numbers."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header, data = json.loads(file.read(length)), file.read()
    types = {"F32": "<f4", "F64": "<f8"}
    out = {}
    for name, entry in header.items():
        if name != "__metadata__":
            a, b = entry["data_offsets"]
            out[name] = torch.tensor(np.frombuffer(data[a:b], types[entry["dtype"]]).reshape(entry["shape"]))
    return out


class Attention(nn.Module):
    def __init__(self, heads, d, size):
        super().__init__()
        self.W_Q, self.W_K, self.W_V = (nn.Parameter(torch.empty(heads, d, size)) for _ in range(3))
        self.W_O = nn.Parameter(torch.empty(heads, size, d))

    def forward(self, x):
        q, k, v = (torch.einsum("btd,hde->bhte", x, w) for w in (self.W_Q, self.W_K, self.W_V))
        scores = q @ k.transpose(2, 3) / self.W_Q.shape[2] ** 0.5
        later = torch.ones(x.shape[1], x.shape[1]).triu(1).bool()
        pattern = scores.masked_fill(later, float("-inf")).softmax(3)
        return torch.einsum("bhte,hed->btd", pattern @ v, self.W_O)


class Mlp(nn.Module):
    def __init__(self, d, width, activation):
        super().__init__()
        self.W_in, self.b_in = nn.Parameter(torch.empty(d, width)), nn.Parameter(torch.empty(width))
        self.W_out, self.b_out = nn.Parameter(torch.empty(width, d)), nn.Parameter(torch.empty(d))
        self.activation = activation

    def forward(self, x):
        return self.activation(x @ self.W_in + self.b_in) @ self.W_out + self.b_out


class Block(nn.Module):
    def __init__(self, heads, d, size, width, activation):
        super().__init__()
        self.attn, self.mlp = Attention(heads, d, size), Mlp(d, width, activation)

    def forward(self, x):
        x = x + self.attn(x)
        return x + self.mlp(x)


class Transformer(nn.Module):
    """Parameters under TransformerLens's names, so that load_state_dict takes the file as it is."""

    def __init__(self, p, heads, d, size, width, activation=torch.relu):
        super().__init__()
        self.embed, self.pos_embed, self.unembed = nn.Module(), nn.Module(), nn.Module()
        self.embed.W_E = nn.Parameter(torch.empty(p + 1, d))
        self.pos_embed.W_pos = nn.Parameter(torch.empty(3, d))
        self.unembed.W_U = nn.Parameter(torch.empty(d, p + 1))
        self.blocks = nn.ModuleList([Block(heads, d, size, width, activation)])

    def forward(self, tokens):
        x = self.embed.W_E[tokens] + self.pos_embed.W_pos
        for block in self.blocks:
            x = block(x)
        return x @ self.unembed.W_U


def main(weights, outputs, activation="relu"):
    state = load(weights)
    heads, d, size = state["blocks.0.attn.W_Q"].shape
    p = state["embed.W_E"].shape[0] - 1
    activations = {"relu": torch.relu, "gelu": nn.functional.gelu}
    model = Transformer(p, heads, d, size, state["blocks.0.mlp.W_in"].shape[1], activations[activation])
    model.to(state["embed.W_E"].dtype).load_state_dict(state)
    cells = torch.arange(p * p)
    with torch.no_grad():
        logits = model(torch.stack([cells // p, cells % p, torch.full_like(cells, p)], 1))[:, -1, :p].double().numpy()
    ours = np.load(outputs)
    difference = abs(ours - logits).max() / abs(logits).max()
    print(f"{p * p} x {p} logits, largest {abs(logits).max():.3g}: largest difference {difference:.2g} of that")
    return 0 if ours.shape == logits.shape and difference < 1e-5 else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
