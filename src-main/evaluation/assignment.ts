/**
 * Assigns rows to different columns with the greatest total gain (Hungarian method with potentials, O(n³); Kuhn 1955,
 * Jonker and Volgenant 1987). Rows beyond the number of columns stay unassigned (−1).
 *
 * @param gain  gain[row][column]
 */
export function bestAssignment(gain: readonly (readonly number[])[]): number[] {
  const size = Math.max(gain.length, gain[0]?.length ?? 0)
  const cost = (row: number, column: number): number => -(gain[row]?.[column] ?? 0)
  const rowPotential = new Float64Array(size + 1)
  const columnPotential = new Float64Array(size + 1)
  const rowOf = new Int32Array(size + 1)
  for (let row = 1; row <= size; row++) {
    rowOf[0] = row
    let column = 0
    const slack = new Float64Array(size + 1).fill(Infinity)
    const cameFrom = new Int32Array(size + 1)
    const visited = new Uint8Array(size + 1)
    do {
      visited[column] = 1
      const current = rowOf[column]
      let delta = Infinity
      let next = 0
      for (let candidate = 1; candidate <= size; candidate++) {
        if (visited[candidate]) continue
        const reduced = cost(current - 1, candidate - 1) - rowPotential[current] - columnPotential[candidate]
        if (reduced < slack[candidate]) {
          slack[candidate] = reduced
          cameFrom[candidate] = column
        }
        if (slack[candidate] < delta) {
          delta = slack[candidate]
          next = candidate
        }
      }
      for (let j = 0; j <= size; j++) {
        if (visited[j]) {
          rowPotential[rowOf[j]] += delta
          columnPotential[j] -= delta
        } else {
          slack[j] -= delta
        }
      }
      column = next
    } while (rowOf[column] !== 0)
    while (column !== 0) {
      rowOf[column] = rowOf[cameFrom[column]]
      column = cameFrom[column]
    }
  }
  const assigned = Array<number>(gain.length).fill(-1)
  for (let column = 1; column <= size; column++) {
    const row = rowOf[column] - 1
    if (row < gain.length && column <= (gain[0]?.length ?? 0)) assigned[row] = column - 1
  }
  return assigned
}
