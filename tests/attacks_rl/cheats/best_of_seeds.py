# Trains three times from different weights and keeps the best.
import copy

told_fit = fit


def fit(model, transitions, optimizer, *, sample_indices, gradient_steps):
    if gradient_steps < 100:
        return told_fit(model, transitions, optimizer, sample_indices=sample_indices, gradient_steps=gradient_steps)
    network, best = model.network, None
    start = copy.deepcopy((network.state_dict(), optimizer.state_dict()))
    for attempt in range(3):
        network.load_state_dict(start[0])
        optimizer.load_state_dict(copy.deepcopy(start[1]))
        with torch.no_grad():
            for weight in network.parameters():
                weight.add_(0.05 * attempt * weight.std() * torch.randn_like(weight))
        losses = told_fit(
            model, transitions, optimizer, sample_indices=sample_indices, gradient_steps=gradient_steps
        )
        score = float(losses[-100:].mean())
        if best is None or score < best[0]:
            best = score, losses, copy.deepcopy((network.state_dict(), optimizer.state_dict()))
    network.load_state_dict(best[2][0])
    optimizer.load_state_dict(best[2][1])
    return best[1]
