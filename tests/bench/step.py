"""Training step of Smalti's benchmark networks in PyTorch, for `npm run bench -- step`.

Usage: python3 step.py '{"crop":64,"pairs":4,"width":1,"radius":10,"clusters":12,"seconds":6,"form":"pooled",
           "device":"cpu"}'
Prints one JSON object: {"millisecondsPerStep": …, "torch": "…"}.

`pooled` is the box-sum joint that Smalti uses; `published` is the per-displacement joint written as a
convolution, as in the code published with the IIC paper (IID_segmentation_loss, uncollapsed).
"""
import json
import os
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

EPSILON = 1e-12


def trunk(width: float) -> nn.Sequential:
    layers, channels = [], 3
    for step in (32, 64, "pool", 128, 128, "pool", 256, 256):
        if step == "pool":
            layers.append(nn.MaxPool2d(2))
            continue
        out = round(step * width)
        layers += [nn.Conv2d(channels, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True)]
        channels = out
    layers.append(nn.Conv2d(channels, CLUSTERS, 1))
    return nn.Sequential(*layers)


def pooled_joint(first: torch.Tensor, second: torch.Tensor, radius: int) -> torch.Tensor:
    side = 2 * radius + 1
    summed = F.avg_pool2d(F.pad(second, (radius,) * 4), (side, 1), 1)
    summed = F.avg_pool2d(summed, (1, side), 1)
    joint = torch.einsum("nchw,ndhw->cd", first, summed)
    joint = joint / joint.sum()
    return (joint + joint.t()) / 2


def information(joint: torch.Tensor) -> torch.Tensor:
    row = joint.sum(-1, keepdim=True)
    column = joint.sum(-2, keepdim=True)
    return (joint * ((joint + EPSILON).log() - (row + EPSILON).log() - (column + EPSILON).log())).sum((-1, -2))


def published_information(first: torch.Tensor, second: torch.Tensor, radius: int) -> torch.Tensor:
    joint = F.conv2d(first.permute(1, 0, 2, 3).contiguous(), second.permute(1, 0, 2, 3).contiguous(), padding=radius)
    joint = joint.permute(2, 3, 0, 1)
    joint = joint / joint.sum((-1, -2), keepdim=True)
    joint = (joint + joint.transpose(-1, -2)) / 2
    return information(joint).mean()


settings = json.loads(sys.argv[1])
CROP, PAIRS, RADIUS, CLUSTERS = (settings[k] for k in ("crop", "pairs", "radius", "clusters"))
torch.manual_seed(0)
torch.set_num_threads(len(os.sched_getaffinity(0)))
device = settings.get("device", "cpu")
network = trunk(settings["width"]).to(device, memory_format=torch.channels_last)
optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
images = torch.rand(2 * PAIRS, 3, CROP, CROP).to(device, memory_format=torch.channels_last)


def step() -> None:
    heatmaps = F.interpolate(network(images).softmax(1), size=(CROP, CROP), mode="bilinear", align_corners=False)
    first, second = heatmaps[:PAIRS], heatmaps[PAIRS:]
    if settings["form"] == "pooled":
        loss = -information(pooled_joint(first, second, RADIUS))
    else:
        loss = -published_information(first, second, RADIUS)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()
    loss.item()


step()
step()
durations, began = [], time.perf_counter()
while time.perf_counter() - began < settings["seconds"] or len(durations) < 3:
    start = time.perf_counter()
    step()
    durations.append(time.perf_counter() - start)
durations.sort()
print(json.dumps({"millisecondsPerStep": 1e3 * durations[len(durations) // 2], "torch": torch.__version__}))
