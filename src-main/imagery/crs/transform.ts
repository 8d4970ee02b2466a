/** `x = t₀ + t₁·column + t₂·row`, `y = t₃ + t₄·column + t₅·row`; whole numbers are pixel corners, as in GDAL. */
export type Transform = readonly [number, number, number, number, number, number]

/** Converts columns and rows to coordinates. */
export function toWorld([x, xc, xr, y, yc, yr]: Transform, column: number, row: number): [number, number] {
  return [x + xc * column + xr * row, y + yc * column + yr * row]
}

/** Converts coordinates to columns and rows. */
export function toPixel(
  [x, xc, xr, y, yc, yr]: Transform,
  worldX: number,
  worldY: number
): [column: number, row: number] {
  const determinant = xc * yr - xr * yc
  const [dx, dy] = [worldX - x, worldY - y]
  return [(yr * dx - xr * dy) / determinant, (xc * dy - yc * dx) / determinant]
}
