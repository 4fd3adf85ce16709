"""PyTorch doing the work of `groklab bench`'s MLP loops: p = 61, addition, minibatches of 32 of 1856 pairs, one step.

eager: as the code published with Mallinar et al. (2024) does it: one-hot inputs, two linear layers without biases, mean
       squared error, AdamW as it comes. Batches are gathered from tensors made beforehand: no data loader.
tuned: as well as PyTorch can: the first layer a sum of two gathered rows, fused AdamW, compiled where that is faster.
"""
import torch
from torch import nn
from torch.nn import functional

import peer

P, PAIRS, BATCH = 61, 1856, 32
WIDTHS = {"mlp-256": 256, "mlp-1024": 1024}


def train_part():
    cells = torch.randperm(P * P, generator=torch.Generator().manual_seed(0))[:PAIRS]
    x, y = cells // P, cells % P
    return torch.stack([x, y + P], 1), functional.one_hot((x + y) % P, P).float()


class Eager(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc1 = nn.Linear(2 * P, width, bias=False)
        self.out = nn.Linear(width, P, bias=False)

    def loss(self, inputs, wanted):
        return functional.mse_loss(self.out(self.fc1(inputs) ** 2), wanted)


class Tuned(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc1 = nn.Parameter(nn.Linear(2 * P, width, bias=False).weight.detach().t().contiguous())
        self.out = nn.Linear(width, P, bias=False)

    def loss(self, tokens, wanted):
        h = functional.embedding(tokens, self.fc1).sum(1)
        return functional.mse_loss(self.out(h * h), wanted)


def agree(tokens, wanted):
    """The two variants are one network."""
    eager, tuned = Eager(64).double(), Tuned(64).double()
    tuned.fc1.data.copy_(eager.fc1.weight.t())
    tuned.out.load_state_dict(eager.out.state_dict())
    inputs = functional.one_hot(tokens, 2 * P).sum(1).double()
    a, b = eager.loss(inputs, wanted.double()).item(), tuned.loss(tokens, wanted.double()).item()
    assert abs(a - b) < 1e-12, (a, b)


def epoch(model, loss, fused, inputs, wanted):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=1.0, fused=fused)

    def run():
        for batch in torch.randperm(PAIRS).split(BATCH):
            optimizer.zero_grad(set_to_none=True)
            loss(inputs[batch], wanted[batch]).backward()
            optimizer.step()

    return run


def main():
    chosen = peer.options(__doc__.split("\n")[0], list(WIDTHS), ["eager", "tuned"])
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(0)
    tokens, wanted = train_part()
    inputs = functional.one_hot(tokens, 2 * P).sum(1).float()
    agree(tokens, wanted)

    def measure(model, loss, fused, data):
        return peer.timed(epoch(model, loss, fused, data, wanted), chosen.seconds, calls=PAIRS // BATCH)

    for loop in chosen.only:
        width = WIDTHS[loop]
        if "eager" in chosen.variant:
            model = Eager(width)
            peer.say(loop, "eager", chosen.threads, measure(model, model.loss, False, inputs), torch=torch.__version__)
        if "tuned" in chosen.variant:
            model = Tuned(width)
            plain = measure(model, model.loss, True, tokens)
            compiled = measure(model, torch.compile(model.loss), True, tokens)
            best = min(plain, compiled, key=lambda samples: sorted(samples)[len(samples) // 2])
            peer.say(loop, "tuned", chosen.threads, best, torch=torch.__version__, compiled=best is compiled)


if __name__ == "__main__":
    main()
