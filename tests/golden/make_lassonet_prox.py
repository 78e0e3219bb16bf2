"""Write lassonet_prox.json: proximal points by the package lassonet 0.0.21 (`lassonet.prox.prox`), in float64."""

import json
from pathlib import Path

import torch
from lassonet.prox import prox


def cases():
    generator = torch.Generator().manual_seed(0)
    for i in range(40):
        a, h = 1 + i % 4, (0, 1, 5, 12)[i // 10]
        draw = torch.randn(a + h, generator=generator, dtype=torch.float64)
        lam, m = torch.rand(2, generator=generator, dtype=torch.float64).tolist()
        lam, m = 4 * lam, (0.0, 0.3, 1.0, 10.0)[i // 3 % 4] * (0.5 + m)
        theta, weight = draw[:a], 0.3 * draw[a:]
        b, w = prox(theta, weight, lambda_=lam, lambda_bar=0, M=m)
        yield {"theta": theta, "weight": weight, "lam": lam, "M": m, "b": b, "w": w}


def plain(value):
    return value.tolist() if isinstance(value, torch.Tensor) else value


if __name__ == "__main__":
    found = [{name: plain(value) for name, value in case.items()} for case in cases()]
    text = json.dumps({"versions": {"lassonet": "0.0.21", "torch": torch.__version__}, "cases": found}, indent=1)
    Path(__file__).with_name("lassonet_prox.json").write_text(text + "\n")
