"""PyTorch doing the work of `groklab bench`'s MLP loops: p = 61, addition, minibatches of 32 of 1856 pairs, one step.

eager: as the code published with Mallinar et al. (2024) does it: one-hot inputs, two linear layers without biases, mean
       squared error, AdamW as it comes. Batches are gathered from tensors made beforehand: no data loader.
tuned: as well as PyTorch can: the first layer a sum of two gathered rows, and the fastest of fused AdamW, the same with
       the loss compiled, and gradient and AdamW written out as one compiled function; denormals flushed to zero.
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


def compiled_epoch(model, tokens, wanted, lr=1e-3, beta1=0.9, beta2=0.98, decay=1.0, eps=1e-8):
    weights = [model.fc1.detach().clone(), model.out.weight.detach().clone()]
    means, squares = ([torch.zeros_like(w) for w in weights] for _ in range(2))
    updates = torch.zeros(())

    def loss(parameters, batch, one_hot):
        h = functional.embedding(batch, parameters[0]).sum(1)
        return functional.mse_loss(functional.linear(h * h, parameters[1]), one_hot)

    gradient = torch.func.grad(loss)

    @torch.compile
    def step(batch, one_hot):
        gradients = gradient(weights, batch, one_hot)
        updates.add_(1)
        rate, scale = lr / (1 - beta1**updates), torch.sqrt(1 - beta2**updates)
        for w, m, v, g in zip(weights, means, squares, gradients):
            m.lerp_(g, 1 - beta1)
            v.mul_(beta2).addcmul_(g, g, value=1 - beta2)
            w.mul_(1 - lr * decay).sub_(rate * m / (v.sqrt() / scale + eps))

    def run():
        with torch.no_grad():
            for batch in torch.randperm(PAIRS).split(BATCH):
                step(tokens[batch], wanted[batch])

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
        torch.set_flush_denormal(False)
        if "eager" in chosen.variant:
            model = Eager(width)
            peer.say(loop, "eager", chosen.threads, measure(model, model.loss, False, inputs), torch=torch.__version__)
        torch.set_flush_denormal(True)
        if "tuned" in chosen.variant:
            model = Tuned(width)
            forms = {"fused": measure(model, model.loss, True, tokens),
                     "compiled": measure(model, torch.compile(model.loss), True, tokens),
                     "whole": peer.timed(compiled_epoch(model, tokens, wanted), chosen.seconds, calls=PAIRS // BATCH)}
            form, samples = peer.fastest(forms)
            peer.say(loop, "tuned", chosen.threads, samples, torch=torch.__version__, form=form)


if __name__ == "__main__":
    main()
