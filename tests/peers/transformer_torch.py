"""PyTorch doing the work of `groklab bench`'s transformer loops: p = 113, addition, 3830 train and 8939 test pairs.

eager: as the code published with Nanda et al. (2023) does it: layers of bare parameters and einsums, logits at all
       three positions, log-softmax in float64, AdamW as it comes; its test loss builds a graph like the training loss.
tuned: as well as PyTorch can: only what the last position needs, tokens' keys and values in one product each, float32
       cross entropy, fused AdamW, compiled where that is faster, denormals flushed to zero.
"""
import math

import torch
from torch import nn
from torch.nn import functional

import peer

P, D_MODEL, HEADS, D_HEAD, D_MLP, VOCABULARY, PAIRS = 113, 128, 4, 32, 512, 114, 3830


def split():
    """Tokens [n, 3] and labels [n] of the two parts."""
    cells = torch.randperm(P * P, generator=torch.Generator().manual_seed(0))
    x, y = cells // P, cells % P
    tokens = torch.stack([x, y, torch.full_like(x, P)], 1)
    labels = (x + y) % P
    return (tokens[:PAIRS], labels[:PAIRS]), (tokens[PAIRS:], labels[PAIRS:])


def normal(*shape, std):
    return nn.Parameter(torch.randn(*shape) * std)


class Weights(nn.Module):
    def __init__(self):
        super().__init__()
        std = 1 / math.sqrt(D_MODEL)
        self.embed = normal(D_MODEL, VOCABULARY, std=std)
        self.position = normal(3, D_MODEL, std=std)
        self.query, self.key, self.value = (normal(HEADS, D_HEAD, D_MODEL, std=std) for _ in range(3))
        self.output = normal(D_MODEL, HEADS * D_HEAD, std=std)
        self.w_in = normal(D_MLP, D_MODEL, std=std)
        self.b_in = nn.Parameter(torch.zeros(D_MLP))
        self.w_out = normal(D_MODEL, D_MLP, std=std)
        self.b_out = nn.Parameter(torch.zeros(D_MODEL))
        self.unembed = normal(D_MODEL, VOCABULARY, std=1 / math.sqrt(VOCABULARY))
        self.register_buffer("mask", torch.tril(torch.ones(3, 3)))


class Eager(Weights):
    def forward(self, tokens):
        x = torch.einsum("dbp->bpd", self.embed[:, tokens]) + self.position
        k = torch.einsum("ihd,bpd->biph", self.key, x)
        q = torch.einsum("ihd,bpd->biph", self.query, x)
        v = torch.einsum("ihd,bpd->biph", self.value, x)
        scores = torch.einsum("biph,biqh->biqp", k, q)
        scores = torch.tril(scores) - 1e10 * (1 - self.mask)
        attention = functional.softmax(scores / math.sqrt(D_HEAD), dim=-1)
        z = torch.einsum("biph,biqp->biqh", v, attention)
        z = z.permute(0, 2, 1, 3).reshape(tokens.shape[0], 3, HEADS * D_HEAD)
        x = x + torch.einsum("df,bqf->bqd", self.output, z)
        h = functional.relu(torch.einsum("md,bpd->bpm", self.w_in, x) + self.b_in)
        x = x + torch.einsum("dm,bpm->bpd", self.w_out, h) + self.b_out
        return x @ self.unembed

    def loss(self, tokens, labels):
        logits = self(tokens)[:, -1]
        chosen = functional.log_softmax(logits.to(torch.float64), dim=-1).gather(-1, labels[:, None])
        return -chosen.mean()


class Tuned(Weights):
    def loss(self, tokens, labels):
        n = tokens.shape[0]
        x = functional.embedding(tokens, self.embed.t()) + self.position
        flat = x.reshape(3 * n, D_MODEL)
        k = (flat @ self.key.reshape(-1, D_MODEL).t()).view(n, 3, HEADS, D_HEAD)
        v = (flat @ self.value.reshape(-1, D_MODEL).t()).view(n, 3, HEADS, D_HEAD)
        last = self.embed[:, P] + self.position[2]
        q = (self.query @ last) / math.sqrt(D_HEAD)
        attention = functional.softmax((k * q).sum(-1), dim=1)
        z = (attention[..., None] * v).sum(1).reshape(n, HEADS * D_HEAD)
        x = torch.addmm(last, z, self.output.t())
        h = functional.relu(functional.linear(x, self.w_in, self.b_in))
        x = x + functional.linear(h, self.w_out, self.b_out)
        return functional.cross_entropy(x @ self.unembed, labels)


def agree(train):
    """The two variants are one network."""
    eager, tuned = Eager().double(), Tuned().double()
    tuned.load_state_dict(eager.state_dict())
    a, b = eager.loss(*train).item(), tuned.loss(*train).item()
    assert abs(a - b) < 1e-9, (a, b)


def training(model, fused, loss):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=1.0, fused=fused)

    def step(data):
        optimizer.zero_grad(set_to_none=True)
        loss(*data).backward()
        optimizer.step()

    return step


def main():
    chosen = peer.options(__doc__.split("\n")[0], ["transformer-step", "transformer-test"], ["eager", "tuned"])
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(0)
    train, test = split()
    agree(train)

    def measure(loop, model, loss, fused):
        if loop == "transformer-step":
            step = training(model, fused, loss)
            return peer.timed(lambda: step(train), chosen.seconds)
        if not fused:
            return peer.timed(lambda: loss(*test).item(), chosen.seconds)
        with torch.no_grad():
            return peer.timed(lambda: loss(*test).item(), chosen.seconds)

    for loop in chosen.only:
        torch.set_flush_denormal(False)
        if "eager" in chosen.variant:
            model = Eager()
            peer.say(loop, "eager", chosen.threads, measure(loop, model, model.loss, False), torch=torch.__version__)
        torch.set_flush_denormal(True)
        if "tuned" in chosen.variant:
            model = Tuned()
            forms = {"fused": measure(loop, model, model.loss, True),
                     "compiled": measure(loop, model, torch.compile(model.loss), True)}
            form, samples = peer.fastest(forms)
            peer.say(loop, "tuned", chosen.threads, samples, torch=torch.__version__, form=form)


if __name__ == "__main__":
    main()
