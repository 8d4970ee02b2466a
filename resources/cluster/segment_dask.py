#!/usr/bin/env python3
"""Labels a folder of (cloud-optimised) GeoTIFFs on a Dask cluster with a network exported by Smalti.

    smalti export photos.smalti --format onnx --out model
    python3 segment_dask.py --model model/labels.onnx --images scenes --out labels [--scheduler tcp://host:8786]

Needs rasterio, onnxruntime, numpy and dask[distributed]. Each window is read with a halo as wide as the network's field
of view, so labels do not depend on how the scene is divided. A window that fails is retried on another worker. All
workers must see the folders under the same paths. Nodata pixels are labelled 255.
"""
import argparse
import json
import os
import sys
from pathlib import Path

import numpy as np
import rasterio
from dask.distributed import Client, LocalCluster, as_completed
from rasterio.windows import Window

NO_LABEL = 255
_sessions = {}


def session_of(model):
    """Returns the network, loaded once per process."""
    import onnxruntime

    if model not in _sessions:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ.get("SMALTI_THREADS", "1"))
        _sessions[model] = onnxruntime.InferenceSession(model, options, providers=onnxruntime.get_available_providers())
    return _sessions[model]


def bands_of(session, count):
    """Returns the numbers of the bands that the network uses, counted from 1."""
    chosen = json.loads(session.get_modelmeta().custom_metadata_map.get("bands", "[]"))
    return chosen if chosen and all(isinstance(band, int) for band in chosen) else list(range(1, count + 1))


def label_window(model, path, column, row, width, height, halo):
    """Labels one window: reads it with its halo, mirrored beyond the scene's border."""
    session = session_of(model)
    count = session.get_inputs()[0].shape[1]
    with rasterio.open(path) as scene:
        bands = bands_of(session, count)
        left, top = max(0, column - halo), max(0, row - halo)
        right, bottom = min(scene.width, column + width + halo), min(scene.height, row + height + halo)
        window = Window(left, top, right - left, bottom - top)
        values = scene.read(bands, window=window, out_dtype="float32")
        valid = scene.dataset_mask(window=Window(column, row, width, height)) > 0
    short = [
        halo - (column - left),
        halo - (row - top),
        halo - (right - column - width),
        halo - (bottom - row - height),
    ]
    room = ((0, 0), (short[1], short[3]), (short[0], short[2]))
    # A scene narrower than its halo is mirrored more than once.
    while any(before + after > 0 for before, after in room):
        step = tuple((min(before, size), min(after, size)) for (before, after), size in zip(room, values.shape))
        values = np.pad(values, step, mode="symmetric")
        room = tuple((before - b, after - a) for (before, after), (b, a) in zip(room, step))
    labels = session.run(None, {session.get_inputs()[0].name: values[np.newaxis]})[0]
    found = labels[0, 0, halo : halo + height, halo : halo + width].astype(np.uint8)
    found[~valid] = NO_LABEL
    return found


def notes_of(model):
    """Returns the model's metadata."""
    import onnxruntime

    # Not the workers' session, because Dask would send this process's objects along with the functions.
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).get_modelmeta().custom_metadata_map


def windows_of(model, side, width, height):
    """Returns the side of a scene's windows, and the width of their halo, rounded up to a multiple of 32."""
    notes = notes_of(model)
    if json.loads(notes.get("upright", "false")):
        # Classes depend on a pixel's row in its image, so the image must be labelled whole.
        return max(width, height), 0
    overlap, tile = json.loads(notes.get("tiles_overlap", "20")), json.loads(notes.get("tile_size", str(side)))
    return side, int(np.ceil(overlap / 100 * tile / 2 / 32)) * 32


def segment(client, model, path, target, side, retries):
    """Labels a scene. Windows are written as they finish, into a temporary file that is renamed at the end."""
    with rasterio.open(path) as scene:
        profile = {
            "driver": "GTiff",
            "width": scene.width,
            "height": scene.height,
            "count": 1,
            "dtype": "uint8",
            "crs": scene.crs,
            "transform": scene.transform,
            "tiled": True,
            "blockxsize": 512,
            "blockysize": 512,
            "compress": "deflate",
            "predictor": 2,
            "nodata": NO_LABEL,
            "BIGTIFF": "IF_SAFER",
        }
        width, height = scene.width, scene.height
    side, halo = windows_of(model, side, width, height)
    places = {}
    partial = target.with_suffix(".partial.tif")
    for row in range(0, height, side):
        for column in range(0, width, side):
            size = (min(side, width - column), min(side, height - row))
            future = client.submit(
                label_window, model, str(path), column, row, *size, halo, retries=retries, pure=False
            )
            places[future] = (column, row, *size)
    with rasterio.open(partial, "w", **profile) as labels:
        for future in as_completed(list(places)):
            column, row, w, h = places.pop(future)
            labels.write(future.result(), 1, window=Window(column, row, w, h))
            future.release()
    os.replace(partial, target)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="labels.onnx, written by smalti export --format onnx")
    parser.add_argument("--images", required=True, type=Path, help="folder of GeoTIFFs")
    parser.add_argument("--out", required=True, type=Path, help="folder for the labels")
    parser.add_argument("--scheduler", help="address of a Dask scheduler; without it, workers run on this machine")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="number of workers without a scheduler")
    parser.add_argument("--side", type=int, default=2048, help="side of a window in pixels, a multiple of 512")
    parser.add_argument("--retries", type=int, default=3, help="how often to retry a window that fails")
    options = parser.parse_args()
    if options.side % 512:
        parser.error("--side must be a multiple of 512")
    scenes = sorted(path for path in options.images.rglob("*") if path.suffix.lower() in (".tif", ".tiff"))
    if not scenes:
        parser.error(f"there are no GeoTIFFs in {options.images}")
    options.out.mkdir(parents=True, exist_ok=True)
    if options.out.resolve() == options.images.resolve():
        parser.error("choose an --out folder other than the images")
    cluster = (
        None
        if options.scheduler
        else LocalCluster(n_workers=options.workers, threads_per_worker=1, dashboard_address=None)
    )
    with Client(options.scheduler or cluster) as client:
        for path in scenes:
            target = options.out / path.relative_to(options.images).with_suffix(".tif")
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():
                print(f"{target} already exists")
                continue
            segment(client, str(Path(options.model).resolve()), path.resolve(), target, options.side, options.retries)
            print(f"wrote {target}")
    if cluster:
        cluster.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
