"""Asks PROJ, without grids, for five points in the area of use of each EPSG code. Prints a JSON object."""
import json
import math
import sys

from osgeo import osr

osr.UseExceptions()
WGS84 = osr.SpatialReference()
WGS84.ImportFromEPSG(4326)
WGS84.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
PLACES = ((0.5, 0.5), (0.2, 0.3), (0.8, 0.3), (0.3, 0.8), (0.7, 0.7))


def points_of(entry):
    system = osr.SpatialReference()
    system.ImportFromEPSG(int(entry.code))
    system.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    there, back = osr.CoordinateTransformation(WGS84, system), osr.CoordinateTransformation(system, WGS84)
    west, east = entry.west_lon_degree, entry.east_lon_degree
    south, north = entry.south_lat_degree, entry.north_lat_degree
    east += 360 if east < west else 0
    found = []
    for across, up in PLACES:
        longitude = (west + (east - west) * across + 180) % 360 - 180
        latitude = max(-89.9, min(89.9, south + (north - south) * up))
        try:
            x, y, _ = there.TransformPoint(longitude, latitude)
            longitude, latitude, _ = back.TransformPoint(x, y)
        except RuntimeError:
            continue
        if all(map(math.isfinite, (x, y, longitude, latitude))):
            found.append([x, y, longitude, latitude])
    return found


answers = []
for entry in osr.GetCRSInfoListFromDatabase("EPSG"):
    if entry.type not in (osr.OSR_CRS_TYPE_GEOGRAPHIC_2D, osr.OSR_CRS_TYPE_PROJECTED):
        continue
    try:
        answers.append({"code": entry.code, "name": entry.name, "points": points_of(entry) if entry.bbox_valid else []})
    except RuntimeError:
        answers.append({"code": entry.code, "name": entry.name, "points": []})
version = f"{osr.GetPROJVersionMajor()}.{osr.GetPROJVersionMinor()}"
print(json.dumps({"version": version, "systems": answers}), file=sys.stdout)
