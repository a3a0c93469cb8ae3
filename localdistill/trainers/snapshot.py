"""The tensors of a training: taken out for a checkpoint, and put back to the bit."""

from __future__ import annotations

from typing import Any

_MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # of AdamW, for each weight


class Weights:
    """What is trained in ``model``, with the optimiser that trains it.

    Everything is on the CPU when taken, and copied: what goes on changes none of it.
    """

    def __init__(self, model: Any, optimiser: Any, scaler: Any) -> None:
        self.named = {
            name: weight for name, weight in model.named_parameters() if weight.requires_grad
        }
        self._optimiser = optimiser
        self._scaler = scaler

    def adapter(self) -> dict[str, Any]:
        """The trained weights by name."""
        return {name: _copy(weight) for name, weight in self.named.items()}

    def put(self, adapter: dict[str, Any]) -> None:
        """Make ``adapter`` the trained weights."""
        import torch

        with torch.no_grad():
            for name, weight in self.named.items():
                weight.copy_(adapter[name])

    def everything(self, best: dict[str, Any] | None) -> dict[str, Any]:
        """All that training depends on, and the ``best`` adapter so far if it is another one."""
        import torch

        taken = {f"adapter.{name}": value for name, value in self.adapter().items()}
        for name, weight in self.named.items():
            moments = self._optimiser.state.get(weight, {})
            for moment in _MOMENTS:
                if moment in moments:
                    taken[f"{moment}.{name}"] = _copy(moments[moment])
        taken["random"] = torch.get_rng_state()
        if self._scaler.is_enabled():
            scale = self._scaler.state_dict()
            facts = [scale["scale"], scale["_growth_tracker"]]
            taken["scaler"] = torch.tensor(facts, dtype=torch.float64)
        taken |= {f"best.{name}": value for name, value in (best or {}).items()}
        return taken

    def put_everything(self, taken: dict[str, Any]) -> dict[str, Any] | None:
        """Put back what ``everything`` took; returns ``best``."""
        import torch

        parts: dict[str, dict[str, Any]] = {}
        for key, value in taken.items():
            part, _, name = key.partition(".")
            parts.setdefault(part, {})[name] = value
        self.put(parts["adapter"])
        for name, weight in self.named.items():
            if name in parts.get("step", {}):
                self._optimiser.state[weight] = {
                    # The fused AdamW wants the count of steps where the weight is.
                    moment: parts[moment][name].to(weight.device)
                    for moment in _MOMENTS
                }
        torch.set_rng_state(taken["random"])
        if self._scaler.is_enabled():
            scale, tracker = taken["scaler"].tolist()
            state = self._scaler.state_dict()
            self._scaler.load_state_dict({**state, "scale": scale, "_growth_tracker": int(tracker)})
        return parts.get("best")


def _copy(tensor: Any) -> Any:
    return tensor.detach().to("cpu", copy=True)
