"""Smalti's network in PyTorch over the same windows, for `npm run bench -- rasters torch`: reads a GeoTIFF window by
window with GDAL, decodes ahead on a thread, labels with float32, channels last and inference_mode, and writes tiles
compressed by GDAL.

Usage: python3 segment.py scene.tif weights.json out.tif
"""
import json
import sys
import threading
import time
from queue import Queue

import numpy as np
import torch
from torch.nn import functional as F

path, network_path, out = sys.argv[1:4]
network = json.load(open(network_path))
torch.set_num_threads(network["threads"])
SIDE, HALO, STRIDE, MARGIN = network["side"], network["halo"], network["stride"], network["margin"]


def tensor(entry):
    return torch.from_numpy(np.array(entry["values"], dtype=np.float32).reshape(entry["shape"]))


weights = {name: tensor(entry) for name, entry in network["weights"].items()}
layers = network["layers"]
mean = torch.tensor(network["mean"]).view(1, -1, 1, 1) * 255
deviation = torch.tensor(network["deviation"]).view(1, -1, 1, 1) * 255
filters = [
    weights[f"trunk{i}/filter"].contiguous(memory_format=torch.channels_last)
    if layer["kind"] == "convolution"
    else None
    for i, layer in enumerate(layers)
]


def statistics(x, boxes):
    n, bands, h, w = x.shape
    origin = x[:, :, :-1, :-1]
    energy = ((x[:, :, 1:, :-1] - origin) ** 2 + (x[:, :, :-1, 1:] - origin) ** 2).sum(1, keepdim=True)
    gradient = F.pad(torch.sqrt(energy + 1e-6), (0, 1, 0, 1))
    cells = F.avg_pool2d(torch.cat([x, gradient, x * x], 1), STRIDE)
    parts = [cells[:, : bands + 1]]
    for side in boxes:
        reach = 2 * max(0, round((side / STRIDE - 1) / 2)) + 1
        m = F.avg_pool2d(cells, (reach, 1), 1, (reach // 2, 0), count_include_pad=False)
        m = F.avg_pool2d(m, (1, reach), 1, (0, reach // 2), count_include_pad=False)
        variance = F.relu(m[:, bands + 1 :] - m[:, :bands] ** 2)
        measured = torch.cat([m[:, :bands], torch.sqrt(variance + 1e-6), m[:, bands : bands + 1]], 1)
        parts.append(least_variance(measured, variance, cells[:, :bands], reach // 2) if reach > 1 else measured)
    edge = MARGIN // STRIDE
    return torch.cat(parts, 1)[:, :, edge : cells.shape[2] - edge, edge : cells.shape[3] - edge]


def least_variance(measured, variance, own, r):
    h, w = own.shape[2:]
    spread = F.pad(variance.sum(1, keepdim=True), (r, r, r, r), value=1e6)
    choices = F.pad(measured, (r, r, r, r))
    least, best = None, None
    for dy, dx in [(0, 0), (-r, -r), (-r, 0), (-r, r), (0, -r), (0, r), (r, -r), (r, 0), (r, r)]:
        choice = choices[:, :, r + dy : r + dy + h, r + dx : r + dx + w]
        unlike = ((choice[:, : own.shape[1]] - own) ** 2).sum(1, keepdim=True)
        cost = spread[:, :, r + dy : r + dy + h, r + dx : r + dx + w] + network["likeness"] * unlike
        best = choice if best is None else torch.where(cost < least, choice, best)
        least = cost if least is None else torch.minimum(least, cost)
    return best


def followed(heatmap, image):
    reach = 2 * max(0, round((network["guidedFilter"]["box"] / STRIDE - 1) / 2)) + 1
    mean = lambda m: F.avg_pool2d(F.avg_pool2d(m, (reach, 1), 1), (1, reach), 1)
    large = lambda m: F.interpolate(m, scale_factor=STRIDE, mode="bilinear", align_corners=False)
    full = image.mean(1, keepdim=True)[:, :, MARGIN : image.shape[2] - MARGIN, MARGIN : image.shape[3] - MARGIN]
    guide = F.avg_pool2d(full, STRIDE)
    of_guide, of_map = mean(guide), mean(heatmap)
    variance = F.relu(mean(guide * guide) - of_guide**2)
    slope = (mean(heatmap * guide) - of_map * of_guide) / (variance + network["guidedFilter"]["epsilon"])
    edge = (reach - 1) * STRIDE
    inner = full[:, :, edge:-edge, edge:-edge]
    return large(mean(slope)) * inner + large(mean(of_map - slope * of_guide)), MARGIN + edge


def heatmaps(x):
    x = ((x - mean) / deviation).contiguous(memory_format=torch.channels_last)
    image = x
    x = x[:, :, MARGIN : x.shape[2] - MARGIN, MARGIN : x.shape[3] - MARGIN]
    for i, layer in enumerate(layers):
        if layer["kind"] == "pool":
            x = F.avg_pool2d(x, 2) if layer.get("average") else F.max_pool2d(x, 2)
        else:
            x = F.pad(x, (0, 1, 0, 1)) if layer["stride"] == 2 else F.pad(x, (layer["dilation"],) * 4)
            bias = weights[f"trunk{i}/bias"]
            x = F.relu_(F.conv2d(x, filters[i], bias, stride=layer["stride"], dilation=layer["dilation"]))
    both = torch.cat([x, statistics(image, network["refit"])], 1)
    refitted = F.softmax(F.conv2d(both, weights["headA/refit/filter"], weights["headA/refit/bias"]), 1)
    merged = torch.einsum("nchw,ck->nkhw", refitted, weights["headB/merge"])
    return {"A": followed(refitted, image), "B": followed(merged, image)}


def main():
    from osgeo import gdal

    gdal.UseExceptions()
    scene = gdal.Open(path)
    width, height = scene.RasterXSize, scene.RasterYSize
    places = [(c, r) for r in range(0, height, SIDE) for c in range(0, width, SIDE)]
    ahead = Queue(3)

    def read():
        try:
            read_all()
        except Exception as fault:
            ahead.put(fault)

    def read_all():
        for column, row in places:
            left, top = max(0, column - HALO), max(0, row - HALO)
            right, bottom = min(width, column + SIDE + HALO), min(height, row + SIDE + HALO)
            values = scene.ReadAsArray(left, top, right - left, bottom - top).astype(np.float32)
            down = (HALO - (row - top), SIDE + HALO - (bottom - row))
            across = (HALO - (column - left), SIDE + HALO - (right - column))
            pads = ((0, 0), down, across)
            ahead.put((column, row, np.pad(values, pads, mode="symmetric")))

    threading.Thread(target=read, daemon=True).start()
    driver = gdal.GetDriverByName("GTiff")
    options = ["TILED=YES", "BLOCKXSIZE=512", "BLOCKYSIZE=512", "COMPRESS=DEFLATE", "PREDICTOR=2"]
    targets = {
        name: driver.Create(out.replace(".tif", f"-{name}.tif"), width, height, 1, gdal.GDT_Byte, options)
        for name in ("A", "B")
    }
    began = time.time()
    with torch.inference_mode():
        for _ in places:
            found = ahead.get()
            if isinstance(found, Exception):
                raise found
            column, row, values = found
            for name, (large, edge) in heatmaps(torch.from_numpy(values)[None]).items():
                full = large[:, :, HALO - edge : HALO - edge + SIDE, HALO - edge : HALO - edge + SIDE]
                labels = full.argmax(1)[0].to(torch.uint8).numpy()
                targets[name].GetRasterBand(1).WriteArray(labels[: height - row, : width - column], column, row)
    for name in list(targets):
        targets[name].BuildOverviews("MODE", [2, 4, 8])
        targets[name] = None
    print(json.dumps({"seconds": time.time() - began, "torch": torch.__version__}))


main()
